// The data of the gated-attention reproduction: the licence text and what refuses it, its windows, and the generated task.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError } from "../../../engine/index.ts";
import {
  BackcopyTask,
  bos,
  type Sequences,
  sequenceLength,
  tokenCount,
  toTensors,
  triggers,
} from "../../../papers/gated-attention/backcopy-task.ts";
import {
  cut,
  type LicenceText,
  loadLicenceText,
  textPath,
  trainingWindows,
  validationWindows,
} from "../../../papers/gated-attention/licence-text.ts";
import { values } from "../../nn/tools.ts";

let text: LicenceText;
let folder: string;

beforeAll(async () => {
  text = await loadLicenceText();
  folder = await mkdtemp(join(tmpdir(), "sluice-licences-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("the licence text", () => {
  test("has the published size, characters and parts", async () => {
    expect(gunzipSync(await readFile(textPath)).length).toBe(190_008);
    expect(text.vocabulary).toHaveLength(86);
    expect(text.training).toHaveLength(167_936);
    expect(text.validation).toHaveLength(20_480);
    const start = [...text.validation.subarray(0, 100)].map((id) => text.vocabulary[id]).join("");
    expect(start.trim()).toMatch(/^Apache License\s+Version 2.0/);
  });

  test("a missing, truncated or changed file is refused, with what to do", async () => {
    const path = join(folder, "licences.txt.gz");
    const refused = async (message: RegExp): Promise<void> => {
      const error = await loadLicenceText(path).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(DataError);
      expect(String(error)).toMatch(message);
      expect(String(error)).toMatch(/scripts\/fixtures\/licence-text\.ts/);
    };
    await refused(/cannot read .*licences\.txt\.gz/);
    const packed = await readFile(textPath);
    await writeFile(path, packed.subarray(0, 20_000));
    await refused(/does not unpack/);
    await writeFile(path, "no gzip file");
    await refused(/does not unpack/);
    const bytes = gunzipSync(packed);
    await writeFile(path, gzipSync(bytes.subarray(1)));
    await refused(/190007 bytes, expected 190008/);
    bytes[1000] ^= 1;
    await writeFile(path, gzipSync(bytes));
    await refused(/its SHA-256 is [0-9a-f]{64}, expected 7362/);
  });

  test("every tenth block, from the first on, is for validation; the tail is dropped", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 35 }), fc.integer({ min: 0, max: 2047 }), (blocks, tail) => {
        // Each block is written with a letter of its own; what begins a block need not begin a sentence.
        const bytes = new Uint8Array(blocks * 2048 + tail).map((_, i) => 33 + Math.floor(i / 2048));
        const { vocabulary, training, validation } = cut(bytes);
        const blocksOf = (ids: Int32Array): number[] =>
          Array.from({ length: ids.length / 2048 }, (_, i) => {
            const part = ids.subarray(i * 2048, (i + 1) * 2048);
            expect(new Set(part).size).toBe(1);
            return vocabulary[part[0]].charCodeAt(0) - 33;
          });
        const all = Array.from({ length: blocks }, (_, i) => i);
        expect(blocksOf(validation)).toEqual(all.filter((i) => i % 10 === 0));
        expect(blocksOf(training)).toEqual(all.filter((i) => i % 10 !== 0));
      }),
    );
  });

  test("targets are the inputs one further; training windows depend on the seed and the step only", () => {
    const training = (seed: number, step: number) =>
      trainingWindows(text.training, { seed, step, count: 16, length: 64 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 1000 }), (seed, step) => {
        const { inputs, targets } = training(seed, step);
        expect(inputs.shape).toEqual([16, 64]);
        const [a, b] = [values(inputs), values(targets)];
        for (let i = 0; i < 16; i++)
          expect(b.slice(i * 64, (i + 1) * 64 - 1)).toEqual(a.slice(i * 64 + 1, (i + 1) * 64));
        expect(values(training(seed, step).inputs)).toEqual(a);
        expect(values(training(seed, step + 1).inputs)).not.toEqual(a);
        expect(values(training(seed + 1, step).inputs)).not.toEqual(a);
      }),
      { numRuns: 20 },
    );
  });

  test("validation windows of any length predict the same characters", () => {
    const targets = [64, 128, 256].map((length) => values(validationWindows(text.validation, 16_384, length).targets));
    expect(targets[0]).toEqual([...text.validation.subarray(1, 16_385)]);
    expect(targets[1]).toEqual(targets[0]);
    expect(targets[2]).toEqual(targets[0]);
    expect(() => validationWindows(text.validation, 100, 64)).toThrow(/100 targets in windows of 64/);
    expect(() => validationWindows(text.validation, 20_480, 64)).toThrow(/below the 20480 characters/);
  });
});

describe("bigram-backcopy", () => {
  const row = (list: ArrayLike<number>, i: number): number[] =>
    Array.from(list).slice(i * sequenceLength, (i + 1) * sequenceLength);

  test("sequences follow the rules", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 0, max: 1e4 }), (seed, step) => {
        const task = new BackcopyTask(seed);
        const { count, inputs, targets, copies } = task.training(step, 8);
        for (let i = 0; i < count; i++) {
          const [x, y, copied] = [row(inputs, i), row(targets, i), row(copies, i)];
          expect(x[0]).toBe(bos);
          expect(y.slice(0, -1)).toEqual(x.slice(1));
          y.forEach((next, t) => {
            expect(next).toBeGreaterThanOrEqual(1);
            expect(next).toBeLessThan(tokenCount);
            const copy = t >= 2 && triggers.includes(x[t]);
            expect(copied[t]).toBe(copy ? 1 : 0);
            if (copy) expect(next).toBe(x[t - 1]);
            else if (t > 0) expect(task.table[x[t] - 1][next - 1]).toBeGreaterThan(0);
          });
        }
      }),
      { numRuns: 30 },
    );
  });

  test("depend on the seed and the step only", () => {
    const of = (seed: number, step: number): Int32Array => new BackcopyTask(seed).training(step, 4).inputs;
    expect(of(3, 5)).toEqual(of(3, 5));
    expect(of(3, 5)).not.toEqual(of(3, 6));
    expect(of(3, 5)).not.toEqual(of(4, 5));
    expect(new BackcopyTask(3).evaluation(4).inputs).not.toEqual(of(3, 0));
    expect(toTensors(new BackcopyTask(3).evaluation(4)).map(({ shape, dtype }) => [...shape, dtype])).toEqual([
      [4, 32, "i32"],
      [4, 32, "i32"],
    ]);
  });

  test("rows are sparse distributions, and the entropy is that of what comes next", () => {
    const task = new BackcopyTask(0);
    for (const probabilities of task.table) {
      expect(probabilities).toHaveLength(16);
      expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
    }
    // Dirichlet(0.3) over 16: the mean of the squares of a row's entries sums to (0.3 + 1) / (16 * 0.3 + 1).
    const squares = Array.from({ length: 200 }, (_, seed) => new BackcopyTask(seed).table.flat())
      .flat()
      .reduce((sum, p) => sum + p * p, 0);
    expect(squares / (200 * 16)).toBeCloseTo(1.3 / 5.8, 2);
    // The oracle's cross entropy on many sequences is the mean entropy.
    const many: Sequences = task.evaluation(4000);
    let surprise = 0;
    many.targets.forEach((next, at) => {
      const token = many.inputs[at];
      const p = many.copies[at] === 1 ? 1 : token === bos ? 1 / 16 : task.table[token - 1][next - 1];
      surprise -= Math.log(p);
    });
    const floor = many.entropy.reduce((sum, value) => sum + value, 0);
    expect(surprise / floor).toBeCloseTo(1, 2);
    expect(floor / many.entropy.length).toBeGreaterThan(0.5);
  });
});
