// Checkpoints: a resumed run goes on bit for bit, and a killed one never leaves a broken file.

import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeSafetensors, manualSeed, setBackend, tensor } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { replay } from "../support/seed.ts";
import { run } from "./checkpoint-run.ts";
import { values } from "./tools.ts";

let folder = "";
beforeAll(async () => {
  await setBackend("wasm");
  folder = await mkdtemp(join(tmpdir(), "sluice-checkpoint-"));
});
afterAll(() => rm(folder, { recursive: true }));

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

test("a run killed twenty times, at random moments, has the losses of a run that was not", async () => {
  const [steps, kills] = [400, 20];
  manualSeed(11);
  const expected = (await run()).take(0, steps);
  const path = join(folder, "resumed.safetensors");
  const child = fileURLToPath(new URL("./checkpoint-resume.ts", import.meta.url));
  const losses = new Map<number, number>();
  const stream = new nn.Stream(replay().seed, "moments");
  // Steps take less time than writing their checkpoints does: most moments are in the middle of writing one.
  for (let killed = 0; killed <= kills; killed++) {
    const trainer = spawn(process.execPath, ["--import", "tsx", child, path, String(steps)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const gone = new Promise<[code: number | null, signal: string | null]>((resolve) =>
      trainer.once("close", (code, signal) => resolve([code, signal])),
    );
    let text = "";
    trainer.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    trainer.stdout.once("data", () => {
      if (killed < kills) setTimeout(() => trainer.kill("SIGKILL"), stream.uniform(0, 40));
    });
    expect(await gone).toEqual(killed < kills ? [null, "SIGKILL"] : [0, null]);
    for (const line of text.split("\n").slice(0, -1)) {
      const [step, loss] = line.split(" ").map(Number);
      expect(losses.get(step) ?? loss, `step ${step} after ${killed} kills`).toBe(loss);
      losses.set(step, loss);
    }
  }
  expect([...losses].sort(([x], [y]) => x - y).map(([, loss]) => loss)).toEqual(expected);
}, 120_000);

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
