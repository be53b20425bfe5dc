// Gradients of every block, to second order, against central differences in f64.

import { beforeAll, test } from "vitest";
import { setBackend } from "../../../engine/index.ts";
import { masked, realPositions } from "../../../papers/sigma/model/extent.ts";
import { FeatureGRU } from "../../../papers/sigma/model/feature-gru.ts";
import { DenseSelectiveGate, type GateName, ReleasedGate } from "../../../papers/sigma/model/gate.ts";
import { GMamba } from "../../../papers/sigma/model/gmamba.ts";
import {
  BERT4Rec,
  GRU4Rec,
  Mamba4Rec,
  padHistories,
  type Recommender,
  SASRec,
  Sigma,
} from "../../../papers/sigma/model/index.ts";
import { SequenceLayer } from "../../../papers/sigma/model/layer.ts";
import { PFMamba } from "../../../papers/sigma/model/pf-mamba.ts";
import { checkModule, i32, normals } from "../../nn/tools.ts";

beforeAll(() => setBackend("reference"));

const dtype = "f64";
const lengths = i32([3, 2]);
const real = realPositions(lengths, 3);
const focus = { lengths };
const x = normals([2, 3, 1], 1);

test.each([undefined, focus])("the paper's gate, and untied, at %o", (at) => {
  for (const deltaTied of [true, false]) {
    const gate = new DenseSelectiveGate(1, { deltaTied, dtype }).initialize(1).eval();
    checkModule(gate, [x, normals([2, 3, 1], 2)], (a, b) => {
      const found = gate.forward({ forwards: { x: a, real }, flipped: { x: b, real } }, at);
      return [found.forwards, found.flipped];
    });
  }
});

test("the released gate", () => {
  const gate = new ReleasedGate(1, { dtype }).initialize(1).eval();
  checkModule(gate, [x, normals([2, 3, 1], 2)], (a, b) => {
    const found = gate.forward({ forwards: { x: a, real }, flipped: { x: b, real } }, undefined);
    return [found.forwards, found.flipped];
  });
});

test("FE-GRU", () => {
  const features = new FeatureGRU(1, "gru", { dtype }).initialize(1);
  checkModule(features, [x], (input) => features.forward({ x: input, real }, undefined));
});

test.each(["valid", "padded"] as const)("PF-Mamba, flip %s", (flipMode) => {
  const mamba = new PFMamba(1, { states: 1, taps: 2, expand: 1, kept: 1, flipMode, dtype }).initialize(1);
  checkModule(mamba, [x], (input) => {
    const { outputs } = mamba.forward({ x: input, real, lengths });
    return [outputs.forwards, outputs.flipped];
  });
});

test.each<GateName>(["paper", "scalar"])("G-Mamba with gate %s, in a layer", (gate) => {
  const mixer = new GMamba(1, { states: 1, taps: 2, expand: 1, kept: 1, gate, mixNorm: "softmax", dtype });
  const layer = new SequenceLayer(2, new GMamba(2, { states: 1, taps: 2, expand: 1, kept: 1, gate, dtype }), {
    ...{ residual: true, dropout: 0.1, eps: 1e-5, dtype },
  });
  for (const module of [mixer, layer]) module.initialize(1).eval();
  checkModule(mixer, [x], (input) => mixer.forward({ x: masked(input, real), real, lengths }, undefined));
  checkModule(layer, [normals([1, 2, 2], 3)], (input) =>
    layer.forward({ x: input, real: undefined, lengths: i32([2]) }, { lengths: i32([2]) }),
  );
});

const small = { items: 4, maxLength: 3, size: 2, dtype } as const;
const state = { ...small, states: 1, taps: 2, expand: 1, kept: 1 } as const;
const attention = { ...small, heads: 1, inner: 2, layers: 1 } as const;

test.each<[string, Recommender]>([
  ["SIGMA", new Sigma(state)],
  ["SIGMA as released", new Sigma({ ...state, gate: "release", flipMode: "padded", maskPad: false })],
  ["Mamba4Rec with the exact rule", new Mamba4Rec({ ...state, bRule: "zoh" })],
  ["GRU4Rec", new GRU4Rec({ ...small, hidden: 2 })],
  ["SASRec", new SASRec(attention)],
  ["BERT4Rec", new BERT4Rec(attention)],
])("%s: its loss, by all parameters", (_, model) => {
  model.initialize(2).eval();
  const { ids, lengths: ends } = padHistories([[1, 3], [2]], small.items, small.maxLength);
  const loss = (): ReturnType<Recommender["loss"]> => {
    // BERT4Rec draws its masks: its scores are checked instead.
    if (!(model instanceof BERT4Rec)) return model.loss(ids, ends, i32([2, 1]));
    return model.forward(ids, ends).narrow(1, 1, small.items - 1);
  };
  checkModule(model, [], loss);
});
