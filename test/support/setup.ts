// Runs in every test file: gives fast-check the run's seed and number of cases, counts them, and on failure shows the
// counterexample with its seed and path.

import fc from "fast-check";
import { vi } from "vitest";
import { replay } from "./seed.ts";

// Hoisted above the imports, so it imports what it needs itself.
vi.mock("fast-check", async (original) => {
  const [{ inject }, { counting }] = await Promise.all([import("vitest"), import("./counting.ts")]);
  return counting(await original<typeof import("fast-check")>(), inject("scale"));
});

const { seed, path } = replay();
fc.configureGlobal({ seed, ...(path === undefined ? {} : { path }), endOnFailure: false });
