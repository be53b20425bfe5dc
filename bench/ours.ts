// The measured process of Sluice: `tsx bench/ours.ts <threads>`, started by the benchmark.

import { enableRelaxedSimd, getBackend, setThreads } from "../engine/index.ts";
import { serve } from "./harness/serve.ts";
import { functions } from "./ours/functions.ts";
import { sigma } from "./ours/sigma.ts";
import { steps } from "./ours/steps.ts";

const threads = Number(process.argv[2] ?? 1);
// What the README tells users to call where relaxed SIMD is behind a flag (Node 20); no other setting is made.
const relaxed = enableRelaxedSimd();
setThreads(threads);

await serve(`${getBackend()} backend${relaxed ? " with relaxed SIMD" : ""}, threads ${threads}`, {
  ...functions,
  ...steps,
  ...sigma,
});
