// What gates promise for any sizes: weights, support, limit cases, errors.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { grad, setBackend, type Tensor, tensor } from "../../engine/index.ts";
import {
  COMETGate,
  DSelectKGate,
  type Gate,
  HashGate,
  hardened,
  SoftmaxGate,
  supportThreshold,
  TopKGate,
} from "../../moe/index.ts";
import { Stream, withParameters } from "../../nn/index.ts";
import { close, f64, values } from "../nn/tools.ts";

beforeAll(() => setBackend("reference"));

const sizes = fc
  .record({
    n: fc.integer({ min: 2, max: 9 }),
    k: fc.integer({ min: 1, max: 4 }),
    p: fc.integer({ min: 1, max: 5 }),
    seed: fc.integer({ min: 0, max: 1e6 }),
    gamma: fc.constantFrom(0.1, 1, 10),
  })
  .filter(({ n, k }) => k <= n);

/** Rows of standard normal numbers, f64. */
const rows = (count: number, p: number, seed: number): Tensor => {
  const stream = new Stream(seed, "x");
  return f64(Array.from({ length: count * p }, () => stream.normal())).reshape([count, p]);
};

describe("what gates promise", () => {
  test("weights are >= 0, add up to 1, and have the promised support", () => {
    fc.assert(
      fc.property(sizes, fc.boolean(), ({ n, k, p, seed, gamma }, wide) => {
        const dtype = "f64";
        const initRange = wide ? gamma : undefined;
        const power = Number.isInteger(Math.log2(n));
        const gates: [Gate, number][] = [
          [new SoftmaxGate({ inputDim: p, nExperts: n, dtype }), n],
          [new TopKGate({ inputDim: p, nExperts: n, k, dtype }), k],
          [new COMETGate({ inputDim: p, nExperts: n, k, gamma, initRange, dtype }), n],
          [new HashGate({ nIds: 10, nExperts: n, seed }), 1],
          ...(power
            ? ([[new DSelectKGate({ inputDim: p, nExperts: n, k, gamma, dtype }), n]] as [Gate, number][])
            : []),
        ];
        for (const [gate, most] of gates) {
          gate.initialize(seed);
          const x = gate instanceof HashGate ? tensor([0, 3, 9, 3], { dtype: "i32" }) : rows(4, p, seed);
          for (const inference of ["soft", "hard"] as const) {
            const { weights, leafProbs, support, regLoss } = gate.forward(x, inference);
            expect(weights.shape).toEqual([4, n]);
            expect(leafProbs.shape).toEqual([4, n, gate.k]);
            expect(regLoss.shape).toEqual([]);
            expect(Math.min(...values(weights))).toBeGreaterThanOrEqual(0);
            close(weights.sum(-1), [1, 1, 1, 1], 1e-12);
            close(leafProbs.sum(1), new Array(4 * gate.k).fill(1), 1e-12);
            const count = values(weights.greater(0).sum(-1));
            expect(values(support)).toEqual(values(weights.greaterEqual(1e-5).sum(-1)));
            expect(Math.max(...count)).toBeLessThanOrEqual(inference === "hard" ? Math.min(most, gate.k) : most);
            if (gate instanceof TopKGate) expect(count).toEqual([k, k, k, k]);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  test("COMET starts dense and nearly uniform", () => {
    const gate = new COMETGate({ inputDim: 24, nExperts: 8, k: 2, gamma: 0.1 }).initialize(3);
    const { weights, leafProbs, support } = gate.forward(rows(64, 24, 1).cast("f32"));
    expect(values(support)).toEqual(new Array(64).fill(8));
    for (const v of values(leafProbs)) expect(Math.abs(v - 1 / 8)).toBeLessThan(0.12);
    for (const g of values(weights)) expect(Math.abs(g - 1 / 8)).toBeLessThan(0.12);
  });

  test("a tree whose nodes have decided selects one expert; k = 1 gives its one-hot whatever the scores", () => {
    const gate = new COMETGate({ inputDim: 2, nExperts: 5, k: 1, gamma: 1e-6, initRange: 1, dtype: "f64" }).initialize(
      8,
    );
    const { weights, leafProbs } = gate.forward(rows(20, 2, 5));
    expect(values(weights)).toEqual(values(leafProbs));
    expect(values(weights.equal(1).sum(-1))).toEqual(new Array(20).fill(1));
  });

  test("scaling gamma and the hyperplanes together changes nothing", () => {
    const x = rows(6, 3, 2);
    const config = { inputDim: 3, nExperts: 6, k: 2, initRange: 0.4, dtype: "f64" } as const;
    const one = new COMETGate({ ...config, gamma: 1 }).initialize(1);
    const seven = new COMETGate({ ...config, gamma: 7 }).initialize(1);
    const scaled = { hyperplanes: one.hyperplanes.mul(7), offsets: (one.offsets as Tensor).mul(7) };
    const got = withParameters(seven, scaled, () => seven.forward(x).weights);
    close(got, values(one.forward(x).weights), 1e-12);
  });

  test("nodes strictly inside a dead subtree have gradient 0", () => {
    const weight = f64([[[0.9]], [[0.05]], [[0.1]]]);
    const gate = new COMETGate({ inputDim: 1, nExperts: 4, k: 1, gamma: 1, bias: false, entropyReg: 1, dtype: "f64" });
    const loss = (hyperplanes: Tensor): Tensor =>
      withParameters(gate, { hyperplanes }, () => {
        const { weights, regLoss } = gate.forward(f64([[1]]));
        return weights
          .mul(f64([1, 2, 3, 4]))
          .sum()
          .add(regLoss);
      });
    const [g] = grad(loss)(weight);
    const [root, live, dead] = values(g);
    expect(root).toBe(0); // saturated
    expect(live).not.toBe(0);
    expect(dead).toBe(0);
  });

  test("swapping the children of a node and negating its hyperplane relabels the experts", () => {
    const gate = new COMETGate({ inputDim: 3, nExperts: 4, k: 2, gamma: 1, initRange: 0.3, dtype: "f64" }).initialize(
      4,
    );
    const x = rows(5, 3, 9);
    const plain = gate.forward(x).weights;
    // The root swaps: nodes 1 and 2 change places, experts 0 1 2 3 become 2 3 0 1.
    const order = [0, 2, 1];
    const relabel = (w: Tensor, by: readonly number[]): Tensor => tensorRows(w, by);
    const sign = f64([-1, 1, 1]);
    const swapped = withParameters(
      gate,
      {
        hyperplanes: relabel(gate.hyperplanes, order).mul(sign.reshape([3, 1, 1])),
        offsets: relabel(gate.offsets as Tensor, order).mul(sign.reshape([3, 1])),
        scores: relabel(gate.scores, [2, 3, 0, 1]),
        scoreOffsets: relabel(gate.scoreOffsets, [2, 3, 0, 1]),
      },
      () => gate.forward(x).weights,
    );
    close(tensorRows(swapped.t(), [2, 3, 0, 1]).t(), values(plain), 1e-12);
  });

  test("DSelect-k is COMET with tied levels and flat scores, experts reversed", () => {
    for (const n of [2, 4, 8]) {
      const p = 3;
      const k = 2;
      const dselect = new DSelectKGate({ inputDim: p, nExperts: n, k, gamma: 1, dtype: "f64" }).initialize(n);
      const comet = new COMETGate({ inputDim: p, nExperts: n, k, gamma: 1, dtype: "f64" });
      const level = (q: number): number => Math.floor(Math.log2(q + 1));
      const nodes = Array.from({ length: n - 1 }, (_, q) => level(q));
      const bits = dselect.bits.mul(30);
      const tied = {
        hyperplanes: tensorRows(bits, nodes),
        offsets: tensorRows(dselect.bitOffsets, nodes),
        scores: tensorRows(dselect.mixing, new Array(n).fill(0)),
        scoreOffsets: tensorRows(dselect.mixingOffsets, new Array(n).fill(0)),
      };
      const x = rows(7, p, n);
      const tree = withParameters(comet, tied, () => comet.forward(x).weights);
      const code = withParameters(dselect, { bits }, () => dselect.forward(x).weights);
      close(tree, values(code.flip(1)), 1e-12);
    }
  });

  test("top-k keeps k by position: ties take the first, a logit of 0 counts, k = n is softmax", () => {
    const gate = new TopKGate({ inputDim: 4, nExperts: 4, k: 2, dtype: "f64" });
    const identity = {
      weight: f64([
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
      ]),
    };
    const of = (logits: number[]): number[] =>
      values(withParameters(gate, identity, () => gate.forward(f64([logits])).weights));
    const e = Math.E;
    expect(of([-1, 0, -2, 0])).toEqual([0, 0.5, 0, 0.5]);
    expect(of([0, 0, 0, 0])).toEqual([0.5, 0.5, 0, 0]);
    close(f64(of([0, -3, 1, -1])), [1 / (1 + e), 0, e / (1 + e), 0], 1e-12);
    const x = rows(5, 3, 1);
    const all = new TopKGate({ inputDim: 3, nExperts: 4, k: 4, dtype: "f64" }).initialize(2);
    const soft = new SoftmaxGate({ inputDim: 3, nExperts: 4, dtype: "f64" }).initialize(2);
    close(all.forward(x).weights, values(soft.forward(x).weights), 1e-12);
  });

  test("hard inference keeps each selector's best expert", () => {
    const v = f64([
      [
        [0.2, 0.5],
        [0.5, 0.4],
        [0.3, 0.1],
      ],
    ]);
    close(hardened(v), [0, 1, 1, 0, 0, 0], 0);
  });

  test("refuses impossible sizes and inputs, naming them", () => {
    const config = { inputDim: 3, nExperts: 4, k: 2 };
    const makers = [
      (c: typeof config) => new COMETGate(c),
      (c: typeof config) => new DSelectKGate(c),
      (c: typeof config) => new TopKGate(c),
    ];
    for (const make of makers) {
      expect(() => make({ ...config, k: 5 })).toThrow(/k must be from 1 to nExperts = 4, got 5/);
      expect(() => make({ ...config, k: 0 })).toThrow(/k must be/);
      expect(() => make({ ...config, nExperts: 1, k: 1 })).toThrow(/at least 2 experts/);
      expect(() => make(config).forward(f64([[1, 2]]))).toThrow(/needs x \[B, 3\], got \[1, 2\]/);
      expect(() => make(config).forward(tensor([[1, 2, 3]], { dtype: "i32" }))).toThrow(/float/);
    }
    expect(() => new COMETGate({ ...config, gamma: 0 })).toThrow(/gamma must be above 0, got 0/);
    expect(() => new DSelectKGate({ ...config, gamma: -1 })).toThrow(/gamma/);
    expect(() => new HashGate({ nIds: 0, nExperts: 4 })).toThrow(/nIds/);
    expect(() => new HashGate({ nIds: 4, nExperts: 4 }).forward(f64([1]))).toThrow(/i32/);
  });

  test("the noisy top-k gate is noisy in training only", () => {
    const gate = new TopKGate({ inputDim: 2, nExperts: 4, k: 4, noise: true, dtype: "f64" }).initialize(1);
    const x = rows(3, 2, 1);
    expect(values(gate.forward(x).weights)).not.toEqual(values(gate.forward(x).weights));
    gate.eval();
    expect(values(gate.forward(x).weights)).toEqual(values(gate.forward(x).weights));
  });

  test("DSelect-k pays for codes that name no expert", () => {
    const config = { inputDim: 2, k: 2, dtype: "f64" } as const;
    const x = rows(3, 2, 1);
    const three = new DSelectKGate({ ...config, nExperts: 3 }).initialize(1).forward(x);
    // 3 of 4 codes are reachable: each of 3 samples and 2 selectors pays about 1 / 0.75.
    expect(values(three.regLoss)[0]).toBeCloseTo((3 * 2) / 0.75, 0);
    expect(values(new DSelectKGate({ ...config, nExperts: 4 }).initialize(1).forward(x).regLoss)[0]).toBeCloseTo(0, 12);
  });
});

/** Rows of the first axis by position. */
function tensorRows(x: Tensor, by: readonly number[]): Tensor {
  return f64(by.map((i) => x.select(0, i).toArray()));
}

test("support counts the experts whose weight reaches the threshold", () => {
  const gate = new SoftmaxGate({ inputDim: 1, nExperts: 4 });
  const logits = tensor([[1], [0.5], [-20], [-40]]);
  const { weights, support } = withParameters(gate, { weight: logits, bias: tensor([0, 0, 0, 0]) }, () =>
    gate.forward(tensor([[1], [0]])),
  );
  const counts = (weights.toArray() as number[][]).map((row) => row.filter((w) => w >= supportThreshold).length);
  expect(values(support)).toEqual(counts);
  expect(counts).toEqual([2, 4]);
});
