// The command line with fake papers, for tests that need a real process: quick, slow, diverging, and deaf to Ctrl-C.
import { setTimeout } from "node:timers/promises";
import { runProcess } from "../../papers/process.ts";
import type { Registry } from "../../papers/registry.ts";
import { fakePaper, fakeWith } from "./fake.ts";

const registry: Registry = {
  fake: async () => fakePaper,
  slow: async () => ({ ...fakeWith({ pause: 2 }), name: "slow" }),
  diverging: async () => ({ ...fakeWith({ divergeAt: 7 }), name: "diverging" }),
  stuck: async () => ({
    ...fakePaper,
    name: "stuck",
    async run(trial, { log }) {
      await trial.step(1, { loss: 1 });
      log("stuck");
      await setTimeout(30_000);
    },
  }),
};

await runProcess({ registry, useBackend: async () => {} });
