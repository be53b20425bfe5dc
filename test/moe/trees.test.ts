// Smooth-step and trees: the worked examples, number by number, and their properties.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { grad, setBackend, type Tensor, tensor } from "../../engine/index.ts";
import { entropy, jointSoftmax, leafOrder, smoothStep, treeProbabilities, treeShape } from "../../moe/index.ts";
import { Stream } from "../../nn/index.ts";
import { close, f64 } from "../nn/tools.ts";

beforeAll(() => setBackend("reference"));

/** Leaf probabilities [1, n, k] of trees given by the pre-activations of their internal nodes. */
function leavesOf(trees: readonly (readonly number[])[], gamma: number): Tensor {
  const internal = trees[0].length;
  const t = f64(Array.from({ length: internal }, (_, q) => trees.map((tree) => tree[q]))).unsqueeze(0);
  return treeProbabilities(smoothStep(t, gamma), smoothStep(t.neg(), gamma)).leaves;
}

describe("smooth-step", () => {
  const t = [-0.6, -0.5, -0.25, -0.1, 0, 0.1, 0.25, 0.4, 0.5];

  test("values and slopes at gamma = 1", () => {
    close(smoothStep(f64(t), 1), [0, 0, 0.15625, 0.352, 0.5, 0.648, 0.84375, 0.972, 1], 1e-15);
    const [slope] = grad((x: Tensor) => smoothStep(x, 1).sum())(f64(t));
    close(slope, [0, 0, 1.125, 1.44, 1.5, 1.44, 1.125, 0.54, 0], 1e-14);
  });

  test("values at gamma = 0.1", () => {
    close(smoothStep(f64([-0.04, -0.02, 0.01, 0.03]), 0.1), [0.028, 0.216, 0.648, 0.896], 1e-14);
  });

  test("is exactly 0 and 1 outside the band, in f32 too, and stays in [0, 1]", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-4, max: 100, noNaN: true }),
        fc.double({ min: -2, max: 2, noNaN: true }),
        (gamma, u) => {
          for (const dtype of ["f32", "f64"] as const) {
            const s = smoothStep(tensor([u * gamma, -u * gamma], { dtype }), gamma).toArray() as number[];
            if (Math.abs(u) > 0.5001) expect(s).toEqual(u < 0 ? [0, 1] : [1, 0]);
            expect(Math.min(...s)).toBeGreaterThanOrEqual(0);
            expect(Math.max(...s)).toBeLessThanOrEqual(1 + 1e-7);
            // S(-t) = 1 - S(t), and S_gamma(t) = S_1(t / gamma).
            expect(s[0] + s[1]).toBeCloseTo(1, dtype === "f64" ? 14 : 6);
            if (dtype === "f64") expect(smoothStep(f64([u]), 1).toArray()).toEqual([expect.closeTo(s[0], 12)]);
          }
        },
      ),
    );
  });

  test("refuses gamma <= 0", () => {
    for (const gamma of [0, -1, Number.NaN]) expect(() => smoothStep(f64([0]), gamma)).toThrow(/gamma must be above 0/);
  });
});

describe("the worked examples of one and two trees", () => {
  const tree0 = [0.1, -0.25, 0.6];
  const tree1 = [-0.7, 0.05, -0.2];

  test("one tree, n = 4", () => {
    const v = leavesOf([tree0], 1);
    close(v, [0.10125, 0.54675, 0.352, 0], 1e-15);
    const a = f64([0.2, -0.1, 0.3, 1]).reshape([1, 4, 1]);
    close(a.exp().mul(v), [0.123667, 0.49472, 0.47515, 0], 1e-6);
    close(jointSoftmax(a, v), [0.113089, 0.452403, 0.434508, 0], 1e-6);
    close(entropy(v), [0.929515], 1e-6);
  });

  test("two trees, n = 4: one softmax over all pairs", () => {
    const v = leavesOf([tree0, tree1], 1);
    close(v.select(2, 1), [0, 0, 0.216, 0.784], 1e-15);
    const a = f64([
      [0.2, 0.5],
      [-0.1, 0],
      [0.3, -0.4],
      [1, 0.25],
    ]).unsqueeze(0);
    close(jointSoftmax(a, v).sum(-1), [0.055085, 0.220365, 0.276142, 0.448408], 1e-6);
    close(entropy(v), [1.451312], 1e-6);
  });

  test("numbers of leaves that are no power of two", () => {
    close(leavesOf([[0.1, -0.25]], 1), [0.10125, 0.54675, 0.352], 1e-15);
    close(leavesOf([[0.2, -0.1, 0.3, 0]], 1), [0.137984, 0.137984, 0.508032, 0.193536, 0.022464], 1e-6);
  });

  test("experts sit at the leaves in depth-first order", () => {
    expect(leafOrder(3)).toEqual([3, 4, 2]);
    expect(leafOrder(5)).toEqual([7, 8, 4, 5, 6]);
    expect(leafOrder(6)).toEqual([7, 8, 9, 10, 5, 6]);
    expect(leafOrder(9)).toEqual([15, 16, 8, 9, 10, 11, 12, 13, 14]);
    expect(leafOrder(8)).toEqual([7, 8, 9, 10, 11, 12, 13, 14]);
  });

  test("leaves are products along the paths of the heap, for any n", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 }), fc.integer({ min: 0, max: 1e6 }), (n, seed) => {
        const stream = new Stream(seed, "nodes");
        const left = Array.from({ length: n - 1 }, () => stream.uniform());
        const s = f64(left).reshape([1, n - 1, 1]);
        const reach = new Array<number>(2 * n - 1).fill(1);
        left.forEach((p, q) => {
          reach[2 * q + 1] = reach[q] * p;
          reach[2 * q + 2] = reach[q] * (1 - p);
        });
        const trees = treeProbabilities(s, s.neg().add(1));
        close(
          trees.leaves,
          leafOrder(n).map((q) => reach[q]),
          1e-14,
        );
        close(trees.nodes(), reach, 1e-14);
      }),
    );
  });
});

test("a tree's sizes: 2^depth + deep leaves, filled from the left", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 200 }), (n) => {
      const { depth, deep } = treeShape(n);
      expect(2 ** depth + deep).toBe(n);
      expect(deep).toBeLessThan(2 ** depth);
      // Leaves of the deepest level come two a node, the others one: the rest of the level above.
      const heap = leafOrder(n);
      expect(heap.filter((q) => q >= 2 ** (depth + 1) - 1)).toHaveLength(2 * deep);
    }),
  );
});
