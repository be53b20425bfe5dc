// Data from a worker, fetched ahead; what is reported of a run, and its log.

import { execFile } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { setBackend, tensor } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));
const folder = mkdtempSync(join(tmpdir(), "sluice-training-"));
afterAll(() => rmSync(folder, { recursive: true }));

const url = new URL("./decode.mjs", import.meta.url);
type Names = "x" | "y" | "odd";

describe("a data set in a worker", () => {
  test("makes the batches that the loader asks for, fetched ahead or not", async () => {
    const dataset = new nn.WorkerDataset<Names>(url, { length: 12, parameters: { scale: 0.5 } });
    const loader = new nn.DataLoader(dataset, { batchSize: 4, seed: 3 });
    const order = new nn.DataLoader({ length: 12, batch: (indices) => [...indices] }, { batchSize: 4, seed: 3 });
    const ahead = nn.prefetch(loader);
    for (let step = 0; step < 7; step++) {
      for (const source of [ahead, loader]) {
        const { x, y, odd } = await source.at(step);
        expect([x.dtype, y.dtype, odd.dtype, x.shape]).toEqual(["f32", "i32", "bool", [4, 1]]);
        expect(values(y)).toEqual(order.at(step));
        expect(values(x)).toEqual(order.at(step).map((i) => i / 2));
        expect(values(odd)).toEqual(order.at(step).map((i) => i % 2));
      }
    }
    await dataset.close();
  });

  test("a batch that fails says why, and the next one works, also after the worker's death", async () => {
    const dataset = new nn.WorkerDataset<Names>(url, { length: 20, parameters: { scale: 1 } });
    const [bad, good] = await Promise.allSettled([dataset.batch([13]), dataset.batch([12])]);
    expect(bad).toMatchObject({ reason: { name: "DataError", message: expect.stringMatching(/no sample 13/) } });
    expect(good.status).toBe("fulfilled");
    await expect(dataset.batch([14])).rejects.toThrow(/the worker is gone: exited with code 3/);
    expect(values((await dataset.batch([2])).y)).toEqual([2]);
    const slow = new nn.WorkerDataset<Names>(url, { length: 20, parameters: { scale: 1, wait: 1e6 } });
    const never = slow.batch([1]);
    never.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
    await slow.close();
    await expect(never).rejects.toThrow(/closed/);
    await dataset.close();
    const missing = new nn.WorkerDataset<Names>(new URL("./missing.mjs", import.meta.url), { length: 1 });
    await expect(missing.batch([0])).rejects.toThrow(/missing\.mjs failed/);
    await missing.close();
  });

  test("the worker keeps the process alive while a batch is awaited, not longer", async () => {
    const script = `
      import { WorkerDataset } from ${JSON.stringify(new URL("../../nn/index.ts", import.meta.url).href)};
      const set = new WorkerDataset(new URL(${JSON.stringify(url.href)}), { length: 9, parameters: { scale: 1, wait: 300 } });
      console.log((await set.batch([7])).y.toArray());`;
    const run = promisify(execFile)(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script]);
    expect((await run).stdout.trim()).toBe("[ 7 ]");
  }, 60_000);

  test("a bad length or module is told at once", () => {
    expect(() => new nn.WorkerDataset(url, { length: 0 })).toThrow(/length/);
    expect(() => new nn.WorkerDataset("x" as unknown as URL, { length: 1 })).toThrow(/URL/);
  });
});

test("prefetching asks for each step once where steps follow, and gives the batch of every step", async () => {
  const orders = fc.oneof(
    fc.constant(Array.from({ length: 12 }, (_, i) => i)),
    fc.array(fc.nat(9), { minLength: 1, maxLength: 12 }),
  );
  await fc.assert(
    fc.asyncProperty(orders, fc.integer({ min: 1, max: 4 }), async (steps, ahead) => {
      const asked: number[] = [];
      const source = nn.prefetch({ at: async (step) => asked.push(step) && step * 10 }, ahead);
      for (const step of steps) expect(await source.at(step)).toBe(step * 10);
      const last = steps[steps.length - 1];
      const inRow = steps.every((step, i) => step === i);
      if (inRow) expect(asked).toEqual(Array.from({ length: last + 1 + ahead }, (_, i) => i));
      for (let i = 0; i <= ahead; i++) expect(asked).toContain(last + i);
    }),
  );
  const failing = nn.prefetch<number>({
    at: (step) => (step === 1 ? Promise.reject(new Error("one")) : Promise.resolve(step)),
  });
  expect(await failing.at(0)).toBe(0);
  await expect(failing.at(1)).rejects.toThrow("one");
  expect(() => nn.prefetch({ at: async () => 0 }, 0)).toThrow(/ahead/);
});

/** Runs a made-up loss through the loop. */
const run = (report: nn.FitOptions<number>["report"], steps: number, from = 0): Promise<nn.Progress> =>
  nn.fit<number>({
    step: (batch) => tensor(batch),
    batches: { at: async (step) => 1 / (step + 1) },
    steps,
    from,
    every: 2,
    report,
  });

describe("reports", () => {
  test("lines say step, loss, pace and time left; reports come in order", async () => {
    const lines: string[] = [];
    const steps: number[] = [];
    const last = await run([nn.printProgress((line) => lines.push(line)), ({ step }) => void steps.push(step)], 5);
    expect(steps).toEqual([2, 4, 5]);
    expect(lines[0]).toMatch(/^step 2\/5 \(40 %\) {2}loss 0\.5000 {2}\S+ steps\/s {2}\d\d:\d\d left$/);
    expect(lines[2]).toMatch(/^step 5\/5 \(100 %\) {2}loss 0\.2000 .* in all$/);
    expect(last).toMatchObject({ step: 5, steps: 5, taken: 5 });
    const told: string[] = [];
    const print = nn.printProgress((line) => told.push(line));
    await print({ step: 10, steps: 72_010, loss: 1, score: 0.25, taken: 10, seconds: 1 });
    expect(told[0]).toMatch(/score 0\.2500 {2}10\.0 steps\/s {2}2:00:00 left$/);
  });

  test("a log of a run that crashed and was resumed is that of one run", async () => {
    const path = join(folder, "run.jsonl");
    const strip = (entries: readonly nn.LogEntry[]) => entries.map(({ step, loss }) => ({ step, loss }));
    await run(nn.runLog(path), 10);
    const whole = strip(await nn.readRunLog(path));
    expect(whole.map(({ step }) => step)).toEqual([2, 4, 6, 8, 10]);
    // Crashed after step 8's entry and in the middle of the next; the checkpoint was of step 4.
    writeFileSync(path, readFileSync(path, "utf8").split("\n").slice(0, 4).join("\n").concat("\n"));
    appendFileSync(path, '{"step":10,"lo');
    expect(strip(await nn.readRunLog(path))).toEqual(whole.slice(0, 4));
    await run(nn.runLog(path), 10, 4);
    expect(strip(await nn.readRunLog(path))).toEqual(whole);
    writeFileSync(path, "nonsense\n");
    await expect(nn.readRunLog(path)).rejects.toThrow(/line 1 of .* is no entry: nonsense/);
    // A new run starts a new log.
    await run(nn.runLog(path), 3);
    expect((await nn.readRunLog(path)).map(({ step }) => step)).toEqual([2, 3]);
  });

  test("checkpoints are kept at each nth report and at the last", async () => {
    const model = new nn.Linear(1, 1).initialize(0);
    const path = join(folder, "run.safetensors");
    const kept: number[] = [];
    const read = async (): Promise<void> => {
      kept.push(
        await nn.loadCheckpoint(path, { model }).then(
          ({ step }) => step,
          () => 0,
        ),
      );
    };
    await run([nn.keepCheckpoint(path, { model }, 2), read], 7);
    expect(kept).toEqual([0, 4, 4, 7]);
    expect(() => nn.keepCheckpoint(path, { model }, 0)).toThrow(/nth/);
  });
});
