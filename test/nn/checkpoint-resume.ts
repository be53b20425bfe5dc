// Trains to the end, from a checkpoint where there is one, and says each loss: a child of checkpoint.test.ts.

import { existsSync } from "node:fs";
import { manualSeed, setBackend } from "../../engine/index.ts";
import { loadCheckpoint, saveCheckpoint } from "../../nn/index.ts";
import { run } from "./checkpoint-run.ts";

await setBackend("wasm");
const [path, steps] = process.argv.slice(2);
manualSeed(11);
const { take, parts } = await run();
const from = existsSync(path) ? (await loadCheckpoint(path, parts)).step : 0;
for (let step = from; step < Number(steps); step++) {
  const [loss] = take(step, step + 1);
  process.stdout.write(`${step} ${loss}\n`);
  await saveCheckpoint(path, parts, { step: step + 1 });
}
