// Gradients of every gate, mixture and tree, first and second order, on generated shapes.

import fc from "fast-check";
import { beforeAll, describe, test } from "vitest";
import { gradcheck, gradgradcheck, setBackend, type Tensor } from "../../engine/index.ts";
import { linear } from "../../moe/comet-gate.ts";
import {
  COMETGate,
  DSelectKGate,
  ExpertList,
  type Gate,
  HashGate,
  MLPExperts,
  MoE,
  MultiGateMoE,
  PermutationSearch,
  SoftmaxGate,
  sinkhorn,
  sinkhornUpTo,
  smoothStep,
  TopKGate,
  TreeEnsembleLayer,
} from "../../moe/index.ts";
import { init, Linear } from "../../nn/index.ts";
import { checkModule, f64, i32, normals, values } from "../nn/tools.ts";

beforeAll(() => setBackend("reference"));

const dtype = "f64";
const gamma = 1;

/** Whether no pre-activation is near the edge of the band, where the second derivative jumps. */
function clearOfKinks(x: Tensor, weights: Tensor, offsets: Tensor | undefined): boolean {
  return values(linear(x, weights, offsets)).every((t) => Math.abs(Math.abs(t) / gamma - 0.5) > 0.02);
}

const sizes = fc
  .record({
    n: fc.integer({ min: 2, max: 5 }),
    k: fc.integer({ min: 1, max: 2 }),
    p: fc.integer({ min: 1, max: 2 }),
    seed: fc.integer({ min: 0, max: 1e6 }),
  })
  .filter(({ n, k }) => k <= n);

/** Everything a gate gives that has a gradient. */
const outputs = (gate: Gate) => (x: Tensor) => {
  const { weights, leafProbs, regLoss } = gate.forward(x);
  return [weights, leafProbs, regLoss];
};

const few = { numRuns: 10 };

describe("gates", () => {
  test("softmax", () => {
    fc.assert(
      fc.property(sizes, ({ n, p, seed }) => {
        const gate = new SoftmaxGate({ inputDim: p, nExperts: n, dtype }).initialize(seed);
        checkModule(gate, [normals([2, p], seed)], (x) => gate.forward(x).weights);
      }),
      few,
    );
  });

  test("top-k", () => {
    fc.assert(
      fc.property(sizes, ({ n, k, p, seed }) => {
        const gate = new TopKGate({ inputDim: p, nExperts: n, k, dtype }).initialize(seed);
        checkModule(gate, [normals([2, p], seed)], (x) => gate.forward(x).weights);
      }),
      few,
    );
  });

  test("COMET, with nodes inside and outside the band", () => {
    fc.assert(
      fc.property(sizes, fc.constantFrom(0.2, 0.6), ({ n, k, p, seed }, initRange) => {
        const gate = new COMETGate({
          inputDim: p,
          nExperts: n,
          k,
          gamma,
          initRange,
          entropyReg: 0.3,
          dtype,
        }).initialize(seed);
        const x = normals([2, p], seed);
        fc.pre(clearOfKinks(x, gate.hyperplanes, gate.offsets));
        checkModule(gate, [x], outputs(gate));
      }),
      few,
    );
  });

  test("DSelect-k, also where some codes name no expert", () => {
    fc.assert(
      fc.property(sizes, ({ n, k, p, seed }) => {
        const gate = new DSelectKGate({ inputDim: p, nExperts: n, k, gamma, entropyReg: 0.3, reachReg: 0.1, dtype });
        gate.initialize(seed);
        const x = normals([2, p], seed);
        checkModule(gate, [x], outputs(gate));
      }),
      few,
    );
  });

  test("a gate behind a soft permutation, with its regulariser", () => {
    const search = new PermutationSearch({
      nExperts: 3,
      iterations: 4,
      tauInit: 0.3,
      tauFinal: 0.3,
      sinkhornIters: [2, 3],
      zeta: 0.5,
      dtype,
    });
    for (const inner of [
      new COMETGate({ inputDim: 2, nExperts: 3, k: 2, gamma, initRange: 0.1, dtype }),
      new DSelectKGate({ inputDim: 2, nExperts: 3, k: 2, gamma, dtype }),
      new HashGate({ nIds: 4, nExperts: 3 }).to(dtype),
    ]) {
      const gate = search.wrap(inner).initialize(2);
      if (inner instanceof HashGate) checkModule(gate, [], () => gate.forward(i32([0, 3])).weights);
      else checkModule(gate, [normals([2, 2], 1)], outputs(gate));
    }
  });
});

test("smooth-step, inside, outside, and first order on the edge", () => {
  const inside = f64([-0.9, -0.3, 0, 0.2, 0.45, 0.8]);
  gradcheck((t) => smoothStep(t, gamma), [inside]);
  gradgradcheck((t) => smoothStep(t, gamma), [inside]);
  gradcheck((t) => smoothStep(t, gamma), [f64([-0.5, 0.5])]);
});

test("Sinkhorn, with a fixed number of rounds and with one that is data", () => {
  const logits = normals([3, 3], 4);
  for (const fn of [(x: Tensor) => sinkhorn(x, 3), (x: Tensor) => sinkhornUpTo(x, i32(2), 3)]) {
    gradcheck(fn, [logits]);
    gradgradcheck(fn, [logits]);
  }
});

test("tree ensembles", () => {
  const layer = new TreeEnsembleLayer({ inputDim: 2, outputDim: 2, trees: 2, depth: 2, gamma, dtype }).initialize(1);
  checkModule(layer, [normals([2, 2], 1)], (x) => layer.forward(x));
});

test("mixtures: stacked experts, listed experts, several gates", () => {
  const gateOf = (): COMETGate =>
    new COMETGate({ inputDim: 2, nExperts: 2, k: 1, gamma, initRange: 0.1, entropyReg: 0.1, dtype });
  const biased = (): MLPExperts =>
    new MLPExperts({
      nExperts: 2,
      sizes: [2, 3, 1],
      dtype,
      activation: (x) => x.tanh(),
      weightInit: () => init.normal(),
    });
  const one = new MoE(biased(), gateOf()).initialize(1);
  checkModule(one, [normals([2, 2], 1)], (x) => [one.forward(x).output, one.forward(x).regLoss]);
  const listed = new MoE(
    new ExpertList([new Linear(2, 1, { dtype }), new Linear(2, 1, { dtype })]),
    gateOf(),
  ).initialize(2);
  checkModule(listed, [normals([2, 2], 2)], (x) => listed.forward(x).output);
  const several = new MultiGateMoE(biased(), [gateOf(), gateOf()]).initialize(3);
  checkModule(several, [normals([2, 2], 3)], (x) => [...several.forward(x).outputs, several.forward(x).regLoss]);
});
