// Closed forms of the paper's layer: what follows from the equations, for weights and inputs of any seed.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { grad, iota, setBackend, type Tensor } from "../../../engine/index.ts";
import { withParameters } from "../../../nn/index.ts";
import type { GatedAttention } from "../../../papers/gated-attention/attention.ts";
import { TransformerLM } from "../../../papers/gated-attention/model.ts";
import { type VariantName, variantNames, variantOf } from "../../../papers/gated-attention/variants.ts";
import { close, normals, values } from "../../nn/tools.ts";
import { attentionOf, getParameter, setParameter, tinyOptions } from "./tools.ts";

beforeAll(() => setBackend("reference"));

type Changes = Parameters<typeof tinyOptions>[1];

/** The variant's layer and the baseline's, with the same weights but for the gate's. */
const pair = (
  name: VariantName,
  seed: number,
  changes: Changes = {},
): { gated: GatedAttention; plain: GatedAttention } => ({
  gated: attentionOf(tinyOptions(name, changes), seed),
  plain: attentionOf(tinyOptions("baseline", changes), seed),
});

const zero = (layer: GatedAttention): void =>
  setParameter(layer, "gate.proj.weight", new Float64Array(gateSize(layer)));
const gateSize = (layer: GatedAttention): number => getParameter(layer, "gate.proj.weight").size;

/** For several seeds, with an input of that seed. */
const forSeeds = (check: (seed: number, x: Tensor) => void, numRuns = 6): void => {
  fc.assert(
    fc.property(fc.nat(999), fc.integer({ min: 2, max: 5 }), (seed, n) => {
      check(seed, normals([2, n, 4], seed));
    }),
    { numRuns },
  );
};

describe("W_theta = 0", () => {
  const factors: readonly (readonly [VariantName, number])[] = [
    ["g1-elementwise", 0.5],
    ["g1-headwise", 0.5],
    ["g1-shared", 0.5],
    ["g2-elementwise", 0.5],
    ["g5-elementwise", 0.5],
    ["ns-sigmoid", 0.75],
    ["g1-additive-silu", 1],
    ["g1-additive-identity", 1],
  ];
  test.each(factors)("%s gives %d of the baseline", (name, factor) => {
    forSeeds((seed, x) => {
      const { gated, plain } = pair(name, seed);
      zero(gated);
      close(gated.forward(x), values(plain.forward(x).mul(factor)), 1e-12);
    });
  });

  test("a gate that looks at nothing starts there", () => {
    forSeeds((seed, x) => {
      const { gated, plain } = pair("g1-const", seed);
      close(gated.forward(x), values(plain.forward(x).mul(0.5)), 1e-12);
    });
  });

  test("the gate's gradient is X^T (0.25 Y * dL/dY')", () => {
    forSeeds((seed, x) => {
      const { gated } = pair("g1-elementwise", seed);
      zero(gated);
      const flow = normals(x.shape, seed + 1);
      const loss = (weight: Tensor): Tensor =>
        withParameters(gated, { "gate.proj.weight": weight }, () => gated.forward(x).mul(flow).sum());
      const [found] = grad(loss)(getParameter(gated, "gate.proj.weight").detach());
      const { sdpaOutput } = gated.inspect(x);
      const heads = [...x.shape.slice(0, 2), -1];
      const flowIn = flow.matmul(getParameter(gated, "oProj.weight"));
      const inner = sdpaOutput.reshape(heads).mul(flowIn).mul(0.25);
      const expected = inner
        .reshape([-1, inner.shape[2]])
        .t()
        .matmul(x.reshape([-1, 4]));
      close(found, values(expected), 1e-11);
    });
  });
});

test("a gate that is held at 1 is the baseline, at every position", () => {
  const multiplied = variantNames.filter((name) => {
    const { gate } = variantOf(name);
    return gate !== undefined && gate.form !== "add" && gate.inputIndependent !== true;
  });
  for (const name of multiplied) {
    if (!["sigmoid", "ns-sigmoid", undefined].includes(variantOf(name).gate?.activation)) continue;
    // 1 / (1 + e^-40) is 1 in f64 but for the last digits.
    const { gated, plain } = pair(name, 3, { gateBias: 40 });
    zero(gated);
    const x = normals([2, 4, 4], 5);
    close(gated.forward(x), values(plain.forward(x)), 1e-12);
  }
});

describe("variants that are one", () => {
  test("headwise = elementwise with the columns of a head tied", () => {
    for (const position of ["g1", "g2", "g3", "g4"] as const) {
      forSeeds((seed, x) => {
        const coarse = attentionOf(tinyOptions(`${position}-headwise`), seed);
        const fine = attentionOf(tinyOptions(`${position}-elementwise`), seed);
        const rows = getParameter(coarse, "gate.proj.weight").toArray() as number[][];
        setParameter(fine, "gate.proj.weight", rows.flatMap((row) => [row, row]).flat());
        close(fine.forward(x), values(coarse.forward(x)), 1e-12);
      }, 2);
    }
  });

  test("one value expert of one = the headwise gate at G2", () => {
    forSeeds((seed, x) => {
      const gate = attentionOf(tinyOptions("g2-headwise"), seed);
      const experts = attentionOf(tinyOptions("switch-v-1-top-1"), seed);
      setParameter(experts, "vProj.proj.weight", values(getParameter(gate, "vProj.weight")));
      setParameter(experts, "vProj.router.weight", values(getParameter(gate, "gate.proj.weight")));
      close(experts.forward(x), values(gate.forward(x)), 1e-12);
    });
  });

  test("headwise G3 and G4 do nothing before QK-norm, and something without it", () => {
    for (const name of ["g3-headwise", "g4-headwise"] as const) {
      forSeeds((seed, x) => {
        const { gated, plain } = pair(name, seed, { eps: 1e-12 });
        close(gated.forward(x), values(plain.forward(x)), 1e-6);
        const raw = pair(name, seed, { qkNorm: false });
        const difference = raw.gated.forward(x).sub(raw.plain.forward(x)).abs().max().item();
        expect(difference).toBeGreaterThan(1e-4);
      }, 3);
    }
  });
});

test("a gate at G1, G2 or G5 leaves the attention weights as they are", () => {
  forSeeds((seed, x) => {
    for (const name of ["g1-elementwise", "g2-elementwise", "g5-elementwise", "g1-const", "ns-sigmoid"] as const) {
      const { gated, plain } = pair(name, seed);
      expect(values(gated.inspect(x).weights)).toEqual(values(plain.inspect(x).weights));
    }
  }, 3);
});

describe("non-linearity", () => {
  test("a per-head norm of Y does not see the scale of V", () => {
    forSeeds((seed, x) => {
      const layer = attentionOf(tinyOptions("g1-rmsnorm", { eps: 1e-14 }), seed);
      const before = values(layer.forward(x));
      setParameter(layer, "vProj.weight", values(getParameter(layer, "vProj.weight").mul(3.7)));
      close(layer.forward(x), before, 1e-6);
    });
  });

  test("without a gate a head is one linear map W_V W_O of rank headDim; with G1 it is linear in V alone", () => {
    forSeeds((seed, x) => {
      const { gated, plain } = pair("g1-elementwise", seed);
      // The sum over heads of A (X W_V W_O): values and output projection as one matrix.
      const { weights, output } = plain.inspect(x);
      const [wv, wo] = [getParameter(plain, "vProj.weight"), getParameter(plain, "oProj.weight")];
      const composed = Array.from({ length: 4 }, (_, h) =>
        wv
          .narrow(0, 2 * Math.floor(h / 2), 2)
          .t()
          .matmul(wo.narrow(1, 2 * h, 2).t()),
      );
      const sum = composed.map((map, h) => weights.select(1, h).matmul(x.matmul(map))).reduce((a, b) => a.add(b));
      close(output, values(sum), 1e-11);
      for (const map of composed) expect(rank(map.toArray() as number[][])).toBe(2);
      // f(V1 + V2) = f(V1) + f(V2) for fixed queries.
      const ofValues = (weight: Tensor): Tensor =>
        withParameters(gated, { "vProj.weight": weight }, () => gated.forward(x));
      const [first, second] = [1, 2].map((salt) => normals([4, 4], seed + salt));
      close(ofValues(first.add(second)), values(ofValues(first).add(ofValues(second))), 1e-11);
      // QK-norm keeps A when X doubles: the baseline doubles with it, a gated head does not.
      const sharp = pair("g1-elementwise", seed, { eps: 1e-14 });
      close(sharp.plain.forward(x.mul(2)), values(sharp.plain.forward(x).mul(2)), 1e-9);
      const [once, twice] = [x, x.mul(2)].map((input) => sharp.gated.inspect(input).gatedOutput);
      const ratio = twice.sub(once.mul(2)).abs().max().item();
      expect(ratio).toBeGreaterThan(1e-3);
    }, 4);
  });
});

/** Rank by elimination with full pivoting. */
function rank(matrix: number[][]): number {
  const rows = matrix.map((row) => [...row]);
  for (let step = 0; step < rows.length; step++) {
    let best = { i: step, j: step };
    for (let i = step; i < rows.length; i++)
      for (let j = step; j < rows.length; j++)
        if (Math.abs(rows[i][j]) > Math.abs(rows[best.i][best.j])) best = { i, j };
    if (Math.abs(rows[best.i][best.j]) < 1e-10) return step;
    [rows[step], rows[best.i]] = [rows[best.i], rows[step]];
    for (const row of rows) [row[step], row[best.j]] = [row[best.j], row[step]];
    for (let i = step + 1; i < rows.length; i++) {
      const factor = rows[i][step] / rows[step][step];
      for (let j = step; j < rows.length; j++) rows[i][j] -= factor * rows[step][j];
    }
  }
  return rows.length;
}

test("scores are in (0, 1), and non-sparse ones in (0.5, 1)", () => {
  forSeeds((seed, x) => {
    for (const [name, low] of [
      ["g1-elementwise", 0],
      ["g2-headwise", 0],
      ["g1-shared", 0],
      ["ns-sigmoid", 0.5],
    ] as const) {
      const { scores } = attentionOf(tinyOptions(name), seed).inspect(x);
      if (scores === undefined) throw new Error("no scores");
      expect(values(scores).every((score) => score > low && score < 1)).toBe(true);
    }
  });
});

test("the order of heads does not matter, for gates of their own and shared ones", () => {
  const order = fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 });
  const names = fc.constantFrom(...(["g1-elementwise", "g1-headwise", "g1-shared", "g1-const", "g2-shared"] as const));
  fc.assert(
    fc.property(names, order, fc.nat(99), (name, heads, seed) => {
      const options = tinyOptions(name, { nKvHeads: 4 });
      const layer = attentionOf(options, seed);
      const moved = attentionOf(options, seed);
      const x = normals([1, 3, 4], seed);
      if (name === "g1-const") setParameter(layer, "gate.logits", values(normals([4, 2], seed)));
      for (const [own, p] of layer.namedParameters()) {
        if (/[qk]Norm/.test(own)) continue;
        const along = own === "oProj.weight" ? p.unflatten(1, [4, -1]).transpose(0, 1) : p.unflatten(0, [4, -1]);
        const rows = heads.map((h) => values(along.select(0, h)));
        // The output projection reads the heads: its columns move.
        if (own === "oProj.weight") {
          const columns = Array.from({ length: 4 }, (_, out) =>
            rows.flatMap((head) => head.slice(2 * out, 2 * out + 2)),
          );
          setParameter(moved, own, columns.flat());
        } else setParameter(moved, own, rows.flat());
      }
      close(moved.forward(x), values(layer.forward(x)), 1e-12);
    }),
    { numRuns: 15 },
  );
});

test("positions may all be shifted: RoPE knows distances alone", () => {
  fc.assert(
    fc.property(fc.constantFrom(...variantNames), fc.integer({ min: 1, max: 500 }), fc.nat(99), (name, shift, seed) => {
      const layer = attentionOf(tinyOptions(name), seed);
      const x = normals([1, 4, 4], seed);
      const moved = layer.forward(x, { positions: iota([4]).add(shift) });
      close(moved, values(layer.forward(x)), 1e-10);
      const stretched = layer.forward(x, { positions: iota([4]).mul(2) });
      expect(stretched.sub(moved).abs().max().item()).toBeGreaterThan(1e-6);
    }),
    { numRuns: 20 },
  );
});

describe("first values", () => {
  test("logits of the gate spread by 0.02 sqrt(dModel): 0.16 at 64, 0.23 at 128", () => {
    for (const [dModel, published] of [
      [64, 0.16],
      [128, 0.23],
    ] as const) {
      const sizes = { dModel, nHeads: 4, nKvHeads: 2, headDim: 16 };
      const layer = attentionOf({ ...tinyOptions("g1-elementwise", sizes), initStd: undefined }, 0);
      const x = normals([4, 64, dModel], 1);
      const unit = x.div(x.square().mean(-1, { keepDims: true }).sqrt());
      const logits = layer.gate?.proj?.forward(unit);
      const std = logits === undefined ? Number.NaN : Math.sqrt(logits.square().mean().item());
      expect(std / (0.02 * Math.sqrt(dModel))).toBeCloseTo(1, 1);
      expect(std).toBeCloseTo(published, 1);
    }
    expect(0.02 * Math.sqrt(1536)).toBeCloseTo(0.78, 2);
    expect(0.02 * Math.sqrt(2048)).toBeCloseTo(0.91, 2);
  });

  test("two models of a seed share every weight but the gate's", () => {
    const parametersOf = (name: VariantName): Map<string, number[]> =>
      new Map(new TransformerLM(tinyOptions(name)).namedParameters().map(([own, p]) => [own, values(p)]));
    const plain = parametersOf("baseline");
    for (const name of variantNames) {
      const { switchHead, queryHeads, kvHeads, moreExperts } = variantOf(name);
      const gated = parametersOf(name);
      const resized = switchHead ?? queryHeads ?? kvHeads ?? moreExperts;
      for (const [own, p] of plain) {
        if (resized !== undefined && /attn|mlp/i.test(own)) continue;
        expect(gated.get(own), `${name}: ${own}`).toEqual(p);
      }
    }
    expect(values(new TransformerLM({ ...tinyOptions("baseline"), seed: 2 }).embedTokens.weight)).not.toEqual(
      plain.get("embedTokens.weight"),
    );
  });
});
