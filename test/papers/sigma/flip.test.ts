// The partial flip as a permutation, and what the released fixed cut does to short histories.

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { iota, setBackend, type Tensor } from "../../../engine/index.ts";
import { type FlipMode, flipOrder, reorder } from "../../../papers/sigma/model/flip.ts";
import { PFMamba } from "../../../papers/sigma/model/pf-mamba.ts";
import { close, i32, normals, values } from "../../nn/tools.ts";

// Small shapes of many kinds: interpreted faster than compiled.
beforeAll(() => setBackend("reference"));

const batches = fc.integer({ min: 1, max: 12 }).chain((steps) =>
  fc.record({
    steps: fc.constant(steps),
    lengths: fc.array(fc.integer({ min: 1, max: steps }), { minLength: 1, maxLength: 4 }),
    kept: fc.integer({ min: 0, max: 14 }),
    seed: fc.nat(1000),
  }),
);
const modes = fc.constantFrom<FlipMode>("valid", "padded", "off");

/** The definition, one position at a time. */
function expectedOrder(length: number, steps: number, kept: number, mode: FlipMode): number[] {
  const m = mode === "off" ? 0 : Math.max((mode === "valid" ? length : steps) - kept, 0);
  return Array.from({ length: steps }, (_, t) => (t < m ? m - 1 - t : t));
}

test("the order is as defined, a permutation, and its own inverse", () => {
  fc.assert(
    fc.property(batches, modes, ({ steps, lengths, kept, seed }, mode) => {
      const order = flipOrder(i32(lengths), steps, kept, mode);
      const rows = order.toArray() as number[][];
      expect(rows).toEqual(lengths.map((length) => expectedOrder(length, steps, kept, mode)));
      for (const row of rows) expect([...row].sort((a, b) => a - b)).toEqual(values(iota([steps])));
      const x = normals([lengths.length, steps, 2], seed);
      close(reorder(reorder(x, order), order), values(x), 0);
    }),
    { numRuns: 60 },
  );
});

test("r >= len leaves a history as it is, r = 0 reverses it, r = 1 keeps its last item; padding stays where it is", () => {
  const rowOf = (kept: number): number[] => (flipOrder(i32([4]), 6, kept, "valid").toArray() as number[][])[0];
  expect(rowOf(4)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(rowOf(9)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(rowOf(0)).toEqual([3, 2, 1, 0, 4, 5]);
  expect(rowOf(1)).toEqual([2, 1, 0, 3, 4, 5]);
});

/** Flipped branch at the read-out, for random vectors in `length` of `steps` positions. */
function readOuts(flipMode: FlipMode, length: number, steps: number, users: number): number[][] {
  const branch = new PFMamba(3, { states: 2, kept: 5, flipMode, dtype: "f64" }).initialize(1);
  const x = normals([users, steps, 3], 7).maskedFill(iota([1, steps, 1], 1).greaterEqual(length), 0);
  const lengths = i32(new Array<number>(users).fill(length));
  const { outputs } = branch.forward({ x, real: undefined, lengths }, undefined);
  return outputs.flipped.select(1, length - 1).toArray() as number[][];
}

const spread = (rows: readonly number[][]): number =>
  Math.max(...rows[0].map((first, i) => Math.max(...rows.map((row) => Math.abs(row[i] - first)))));

test("with the released cut the flipped branch says the same of all users with short histories", () => {
  for (const length of [1, 7, 22]) expect(spread(readOuts("padded", length, 50, 6))).toBe(0);
  for (const length of [24, 30, 50]) expect(spread(readOuts("padded", length, 50, 6))).toBeGreaterThan(1e-3);
  for (const length of [1, 7, 22, 50]) expect(spread(readOuts("valid", length, 50, 6))).toBeGreaterThan(1e-3);
});

test("tied directions agree wherever the flip changes nothing", () => {
  fc.assert(
    fc.property(batches, ({ steps, lengths, seed }) => {
      const branch = new PFMamba(2, { states: 2, kept: steps, dtype: "f64" }).initialize(seed);
      const x = normals([lengths.length, steps, 2], seed);
      const { outputs } = branch.forward({ x, real: undefined, lengths: i32(lengths) }, undefined);
      close(outputs.flipped, values(outputs.forwards), 1e-13);
    }),
    { numRuns: 10 },
  );
});

test("the gradient of a flip is the same flip", async () => {
  const x: Tensor = normals([2, 5, 2], 3);
  x.requiresGrad = true;
  const order = flipOrder(i32([5, 3]), 5, 1, "valid");
  const weights = normals([2, 5, 2], 4);
  reorder(x, order).mul(weights).sum().backward();
  close(x.grad ?? [], values(reorder(weights, order)), 1e-15);
});
