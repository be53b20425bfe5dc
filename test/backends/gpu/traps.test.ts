// What gpu.js and GPUs get wrong without a word, and this backend must not: one test a trap, in every mode.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gpuBackend } from "../../../engine/backends/gpu/index.ts";
import { openDevice } from "../../../engine/backends/gpu/open.ts";
import { Steps } from "../../../engine/backends/gpu/steps.ts";
import { maxElements } from "../../../engine/backends/gpu/writer.ts";
import * as S from "../../../engine/index.ts";
import { modes } from "./modes.ts";

afterAll(() => S.setBackend("reference"));

const range = (length: number, value: (i: number) => number): Float32Array =>
  Float32Array.from({ length }, (_, i) => value(i));

describe.each(modes)("mode %s", (mode) => {
  beforeAll(() => S.setBackend("gpu", { mode }));

  /** The values of a tensor here and on the oracle. */
  async function both(make: () => S.Tensor): Promise<[actual: number[], expected: number[]]> {
    await S.setBackend("gpu", { mode });
    const actual = Array.from(await make().data());
    await S.setBackend("reference");
    const expected = Array.from(make().dataSync());
    await S.setBackend("gpu", { mode });
    return [actual, expected];
  }

  async function agree(make: () => S.Tensor, digits = 4): Promise<void> {
    const [actual, expected] = await both(make);
    expect(actual).toHaveLength(expected.length);
    actual.forEach((value, i) => {
      if (value !== expected[i] && !(Number.isNaN(value) && Number.isNaN(expected[i]))) {
        expect(value, `at ${i}`).toBeCloseTo(expected[i], digits);
      }
    });
  }

  it("runs the mode it was asked for", async () => {
    await S.tensor([1]).add(1).data();
    expect(S.gpuInfo()?.mode).toBe(mode);
  });

  it("does not stop loops after 1000 rounds", async () => {
    // Many results: the sum is not cut into parts.
    const [m, n, k] = [80, 60, 1300];
    const x = S.tensor(
      range(m * k, (i) => (i % 3) - 1),
      { shape: [m, k] },
    );
    const y = S.tensor(
      range(k * n, (i) => (i % 5) - 2),
      { shape: [k, n] },
    );
    await agree(() => S.matmul(x, y));
  });

  it.each([1, 3, 4, 5, 1001, 70_001])("has no tail that is wrong at length %i", async (length) => {
    const x = S.tensor(range(length, (i) => (i % 11) - 5));
    await agree(() => S.add(S.mul(x, 2), S.flip(x, [0])));
    await agree(() => S.sum(x));
    await agree(() => S.cumsum(x, 0));
  });

  it("divides positions exactly up to the largest", async () => {
    const device = await openDevice(mode);
    const count = 4096;
    for (const by of [3, 7, 1000, 641]) {
      for (const start of [0, 4_194_304 - count / 2, 10_800_000, 12_600_000, maxElements - count]) {
        const steps = new Steps(7);
        steps.emit("a test", count, (w) => {
          const position = w.const(`this.thread.x + ${start}`);
          const [quotient, remainder] = w.divide(position, by, start + count);
          return w.const(`${quotient} - ${Math.floor(start / by)} + ${remainder} * 8192`);
        });
        const handle = await device.call(steps.list[0].spec, [], []);
        const values = await device.read(handle, count);
        const wrong = values.findIndex((value, i) => {
          const at = start + i;
          return value !== Math.floor(at / by) - Math.floor(start / by) + (at % by) * 8192;
        });
        expect(wrong, `${start} + i divided by ${by}`).toBe(-1);
      }
    }
    device.close();
  });

  it("keeps NaN and infinities", async () => {
    const special = [0, 1, -1, 2.5, Number.NaN, Infinity, -Infinity];
    const shape = [special.length, special.length];
    const x = S.tensor(
      special.flatMap((a) => special.map(() => a)),
      { shape },
    );
    const y = S.tensor(
      special.flatMap(() => special),
      { shape },
    );
    const as = (b: S.Tensor) => S.cast(b, "f32");
    for (const make of [
      () => S.mul(x, 0),
      () => S.add(x, y),
      () => S.mul(x, y),
      () => S.maximum(x, y),
      () => S.minimum(x, y),
      () => as(S.less(x, y)),
      () => as(S.lessEqual(x, y)),
      () => as(S.equal(x, y)),
      () => as(S.notEqual(x, y)),
      () => S.where(S.less(x, y), x, y),
      () => S.max(x, [1]),
      () => S.min(y, [0]),
      () => S.sum(x, [1]),
      () => S.relu(x),
      () =>
        S.pad(
          x,
          [
            [1, 1],
            [0, 2],
          ],
          -Infinity,
        ),
      () => S.exp(S.mul(x, 1000)),
      () => S.sigmoid(x),
      () => S.tanh(S.mul(x, 100)),
      () => S.cumsum(x, 1),
    ]) {
      await agree(make);
    }
  });

  it("packs arrays beyond those a kernel may have, and long sums", async () => {
    const leaves = Array.from({ length: 20 }, (_, i) => S.tensor(range(9, (j) => i + j / 8)));
    await agree(() => leaves.reduce((sum, leaf) => S.add(sum, leaf)));
    await agree(() => S.concat(leaves, 0));
    // 160 operands in one expression: as one text it would be too deep for a GPU's compiler.
    await agree(() =>
      Array.from({ length: 160 }).reduce<S.Tensor>((sum, _, i) => S.add(S.mul(sum, 0.5), i), leaves[0]),
    );
  });

  it("computes with whole numbers exactly", async () => {
    const ints = [0, 1, -1, 7, -7, 3, -3, 1000, -1000, maxElements, -maxElements, 16_777_213, 2 ** 31 - 1];
    const x = S.tensor(Int32Array.from(ints.flatMap((a) => ints.map(() => a))), { dtype: "i32" });
    const y = S.tensor(Int32Array.from(ints.flatMap(() => ints)), { dtype: "i32" });
    await agree(() => S.remainder(x, y), 9);
    await agree(() => S.maximum(x, y), 9);
    await agree(() => S.cast(S.less(x, y), "i32"), 9);
  });

  it("draws the numbers the other backends draw", async () => {
    for (const shape of [[5], [33, 3]]) {
      const [actual, expected] = await both(() => S.rand(shape, { generator: S.generator(-123456789, "a stream") }));
      expect(actual).toEqual(expected);
    }
  });

  it("draws the whole numbers the other backends draw", async () => {
    for (const [low, high] of [
      [0, 1],
      [-3, 4],
      [0, 1000],
      [5, 2 ** 24 + 5],
      [-9, 2 ** 24 + 5],
      [0, 2 ** 31],
      [-(2 ** 31), 2 ** 31],
    ]) {
      const generator = () => S.generator(99, `of ${high}`);
      const [actual, expected] = await both(() =>
        S.cast(S.randint(low, high, [7, 9], { generator: generator() }), "i32"),
      );
      expect(actual, `[${low}, ${high})`).toEqual(expected);
    }
    for (const n of [0, 1, 50]) {
      const [actual, expected] = await both(() => S.permutation(n, { generator: S.generator(3) }));
      expect(actual).toEqual(expected);
    }
  });

  it("marks gathers by computed positions out of range with NaN", async () => {
    const at = S.cast(S.mul(S.tensor([0, 1, -0.5]), 3), "i32");
    expect(Array.from(await S.gather(S.tensor([5, 6, 7]), 0, at).data())).toEqual([5, Number.NaN, Number.NaN]);
  });

  it("sorts rows of any length, equal keys in order and NaN last", async () => {
    for (const length of [1, 2, 7, 64, 1000]) {
      const x = S.tensor(
        range(2 * length, (i) => (i % 13 === 5 ? Number.NaN : ((i * 7919) % 31) - 15)),
        { shape: [2, length] },
      );
      await agree(() => S.cast(S.argsort(x), "f32"), 9);
      await agree(() => S.cast(S.argsort(x, -1, { descending: true }), "f32"), 9);
      await agree(() => S.cast(S.topk(x, Math.ceil(length / 3)).indices, "f32"), 9);
    }
  });

  it("finds places in sorted values, NaN last", async () => {
    const sorted = S.tensor([-2, 0, 0, 1, 5, Number.NaN]);
    const wanted = S.tensor([-3, -2, 0, 0.5, 5, 7, Number.NaN]);
    for (const side of ["left", "right"] as const) {
      await agree(() => S.cast(S.searchsorted(sorted, wanted, { side }), "f32"), 9);
    }
  });

  it("transforms signals of every kind of length, there and back", async () => {
    for (const n of [6, 60, 257, 300]) {
      const x = S.tensor(
        range(2 * n, (i) => ((i * 7919) % 31) / 15 - 1),
        { shape: [2, n] },
      );
      await agree(() => S.rfft(x), 1e-4);
      await agree(() => S.irfft(S.rfft(x), -1, { n }), 1e-5);
    }
  });

  it("scans lines of any length, both ways", async () => {
    for (const length of [1, 31, 33, 64, 65, 1000, 5000]) {
      const a = S.tensor(
        range(length * 2, (i) => 0.9 + 0.1 * Math.sin(i)),
        { shape: [length, 2] },
      );
      const b = S.tensor(
        range(length * 2, (i) => Math.cos(i)),
        { shape: [length, 2] },
      );
      for (const reverse of [false, true]) {
        await agree(() => S.linearRecurrence(a, b, 0, { reverse }), 3);
        await agree(() => S.cummax(b, 0, { reverse }).values, 6);
      }
    }
  });
});

it("refuses what it cannot do, and says why", async () => {
  await S.setBackend("gpu", { mode: "cpu" });
  await expect(S.tensor([1], { dtype: "f64" }).add(1).data()).rejects.toThrow(/no f64/);
  await expect(
    S.zeros([maxElements + 1])
      .add(1)
      .data(),
  ).rejects.toThrow(/too large/);
  await expect(S.setBackend("gpu", { mode: "webgl2" })).rejects.toThrow(/no mode "webgl2"/);
  await expect(gpuBackend("metal" as "cpu")).rejects.toThrow(/unknown mode/);
  await expect(S.setBackend("wasm", { mode: "cpu" })).rejects.toThrow(/has modes/);
  // No real GPU where tests run: "auto" lists what it tried. With one it is used.
  const auto = await S.setBackend("gpu").then(
    () => S.gpuInfo()?.software,
    (error: Error) => error.message,
  );
  if (auto !== false) expect(auto).toMatch(/no GPU was found; tried .*webgpu.*webgl2/);
});
