// Writes one checkpoint after the other until it is killed: the child of checkpoint.test.ts.

import { setBackend } from "../../engine/index.ts";
import { init, Linear, saveCheckpoint } from "../../nn/index.ts";

await setBackend("reference");
const [path, from] = process.argv.slice(2);
const model = new Linear(512, 512, { bias: false, weightInit: init.zeros });
for (let step = Number(from); ; step++) {
  model.weight.copyFrom(new Float32Array(512 * 512).fill(step));
  await saveCheckpoint(path, { model }, { step });
  process.stdout.write(`${step}\n`);
}
