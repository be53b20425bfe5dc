// The measured process of Sluice: `tsx bench/ours.ts <threads>`, started by the benchmark.

import v8 from "node:v8";
import * as sluice from "../engine/index.ts";
import { serve } from "./harness/serve.ts";
import { functions } from "./ours/functions.ts";
import { steps } from "./ours/steps.ts";

// Where relaxed SIMD is behind a flag (Node 20), the README tells users to turn it on; no other flag is set.
v8.setFlagsFromString("--experimental-wasm-relaxed-simd");

const threads = Number(process.argv[2] ?? 1);
// Until the engine has threads, only one of our processes takes part.
const { setThreads } = sluice as { setThreads?: (threads: number) => void };
if (setThreads !== undefined) setThreads(threads);
else if (threads > 1) throw new Error("Error: the engine has no threads yet");

await serve(`${sluice.getBackend()} backend, threads ${threads}`, { ...functions, ...steps });
