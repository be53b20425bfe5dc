// Checkpoints: a resumed run goes on bit for bit, and a killed one never leaves a broken file.

import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  compile,
  decodeSafetensors,
  generator,
  manualSeed,
  rand,
  setBackend,
  type Tensor,
  tensor,
} from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { normals, values } from "./tools.ts";

let folder = "";
beforeAll(async () => {
  await setBackend("wasm");
  folder = await mkdtemp(join(tmpdir(), "sluice-checkpoint-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A run with everything that has state: dropout, batch statistics, moments, a noise stream, averages, shuffled data. */
async function run() {
  const model = new nn.Sequential(
    new nn.Linear(4, 8),
    new nn.BatchNorm1d(8),
    new nn.ReLU(),
    new nn.Dropout(0.2),
    new nn.Linear(8, 2),
  ).initialize(3);
  const optimizer = new nn.AdamW(model.parameters(), { lr: 1e-2 });
  const noise = generator(5, "noise");
  const average = new nn.ExponentialMovingAverage(model, 0.9);
  const data = await nn.tensorDataset({ x: normals([24, 4], 1).cast("f32"), y: normals([24, 2], 2).cast("f32") });
  const loader = new nn.DataLoader(data, { batchSize: 8, seed: 9 });
  const schedule = nn.withWarmup(nn.cosineSchedule(1e-2, 1e-4, 20), 3);
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = nn.mseLoss(model.forward(x.add(rand([8, 4], { generator: noise }).mul(0.1))), y);
    loss.backward();
    nn.clipGradNorm(model.parameters(), 1);
    void optimizer.step();
    void average.update();
    return loss;
  });
  const take = (from: number, to: number): number[] => {
    const losses: number[] = [];
    for (let i = from; i < to; i++) {
      optimizer.setLearningRate(schedule(i));
      const { x, y } = loader.at(i);
      losses.push(step(x, y).item());
    }
    return losses;
  };
  return { take, parts: { model, optimizer, generators: { noise }, extra: { ema: average.averages } } };
}

test("an interrupted run ends with the losses of an uninterrupted one, bit for bit", async () => {
  manualSeed(11);
  const whole = await run();
  const expected = whole.take(0, 20);
  const end = await nn.encodeCheckpoint(whole.parts, { step: 20 });

  manualSeed(11);
  const first = await run();
  const path = join(folder, "run.safetensors");
  const before = first.take(0, 7);
  await nn.saveCheckpoint(path, first.parts, { step: 7, metadata: { config: "{}" } });
  first.take(7, 9);

  manualSeed(999);
  const second = await run();
  const { step, metadata } = await nn.loadCheckpoint(path, second.parts);
  expect([step, metadata]).toEqual([7, { config: "{}" }]);
  expect([...before, ...second.take(step, 20)]).toEqual(expected);
  expect(await nn.encodeCheckpoint(second.parts, { step: 20 })).toEqual(end);
  expect(await readdir(folder)).toEqual(["run.safetensors"]);
});

describe("a checkpoint that does not fit", () => {
  test("changes nothing, and says what is wrong", async () => {
    const [one, other] = [new nn.Linear(2, 2), new nn.Linear(2, 3)];
    const before = values(other.weight);
    const bytes = await nn.encodeCheckpoint({ model: one }, { step: 1 });
    await expect(nn.restoreCheckpoint(bytes, { model: other })).rejects.toThrow(
      /"model.weight" is f32 \[2, 2\], needs f32 \[3, 2\]/,
    );
    await expect(nn.restoreCheckpoint(bytes.slice(0, -1), { model: one })).rejects.toThrow(/truncated/);
    await expect(
      nn.restoreCheckpoint(bytes, { model: one, optimizer: new nn.SGD(one.parameters(), { lr: 1 }) }),
    ).rejects.toThrow(/"optimizer.lr" is missing/);
    expect(values(other.weight)).toEqual(before);
  });

  test("a folder that is not there is an error, and leaves nothing", async () => {
    await expect(nn.writeAtomically(join(folder, "no", "file"), new Uint8Array(1))).rejects.toThrow(/ENOENT/);
    expect(tensor(1).item()).toBe(1);
  });
});

test("kill -9 while writing leaves the last whole checkpoint", async () => {
  const path = join(folder, "killed.safetensors");
  const child = fileURLToPath(new URL("./checkpoint-child.ts", import.meta.url));
  let last = -1;
  for (const delay of [0, 7, 23]) {
    const writer = spawn(process.execPath, ["--import", "tsx", child, path, String(last + 1)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const gone = new Promise((resolve) => writer.once("exit", resolve));
    // Wait until it is in the middle of its writing, then a little longer.
    await new Promise((resolve) => writer.stdout.once("data", resolve));
    await new Promise((resolve) => setTimeout(resolve, delay));
    writer.kill("SIGKILL");
    await gone;
    const { tensors, metadata } = decodeSafetensors(await readFile(path));
    const step = Number(metadata.step);
    expect(step).toBeGreaterThan(last);
    // Every element of a whole checkpoint is its step.
    expect(new Set(tensors["model.weight"].dataSync())).toEqual(new Set([step]));
    last = step;
  }
}, 60_000);
