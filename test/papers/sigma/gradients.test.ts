// Gradients of every block and model in f64 against central differences: of blocks by every number, and all along
// random directions to second order (a whole model by every number would take minutes).

import { beforeAll, test } from "vitest";
import { grad, gradcheck, setBackend, type Tensor } from "../../../engine/index.ts";
import { type AnyModule, withParameters } from "../../../nn/index.ts";
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
import { close, i32, normals, values } from "../../nn/tools.ts";

beforeAll(() => setBackend("reference"));

const dtype = "f64";

/** What is run, as one number: a function of the inputs and of all parameters. */
function asFunction(module: AnyModule, count: number, run: (...inputs: Tensor[]) => Tensor | readonly Tensor[]) {
  const names = module.namedParameters().map(([name]) => name);
  return (...args: Tensor[]): Tensor => {
    const parameters = Object.fromEntries(names.map((name, i) => [name, args[count + i]]));
    const found = withParameters(module, parameters, () => run(...args.slice(0, count)));
    const outputs = Array.isArray(found) ? (found as readonly Tensor[]) : [found as Tensor];
    return outputs.map((y, i) => y.mul(normals(y.shape, 90 + i)).sum()).reduce((sum, part) => sum.add(part));
  };
}

/** Along a random direction v: g v against differences of the value, and H v against differences of the gradient. */
function checkDirection(
  module: AnyModule,
  inputs: readonly Tensor[],
  run: (...inputs: Tensor[]) => Tensor | readonly Tensor[],
) {
  const fn = asFunction(module, inputs.length, run);
  const at = [...inputs, ...module.parameters()].map((x) => x.detach());
  const direction = at.map(({ shape }, i) => normals(shape, 50 + i));
  const gradient = grad(fn);
  const along = (...args: Tensor[]): Tensor =>
    gradient(...args)
      .map((g, i) => g.mul(direction[i]).sum())
      .reduce((sum, part) => sum.add(part));
  const eps = 1e-6;
  const [above, below] = [eps, -eps].map((by) => at.map((x, i) => x.add(direction[i].mul(by))));
  const slope = (fn(...above).item() - fn(...below).item()) / (2 * eps);
  close([along(...at).item()], [slope], 1e-5 + 1e-5 * Math.abs(slope));
  const [over, under] = [gradient(...above), gradient(...below)];
  for (const [i, product] of grad(along)(...at).entries()) {
    const difference = values(over[i].sub(under[i]).div(2 * eps));
    const scale = Math.max(1, ...difference.map(Math.abs));
    close(product, difference, 1e-5 * scale);
  }
}

/** A block: by every number too. */
function checkModule(
  module: AnyModule,
  inputs: readonly Tensor[],
  run: (...inputs: Tensor[]) => Tensor | readonly Tensor[],
): void {
  gradcheck(asFunction(module, inputs.length, run), [...inputs, ...module.parameters().map((x) => x.detach())]);
  checkDirection(module, inputs, run);
}
const lengths = i32([3, 2]);
const real = realPositions(lengths, 3);
const focus = { lengths };
const x = normals([2, 3, 1], 1);

test.each([
  ["everywhere", undefined],
  ["at the last items", focus],
] as const)("the paper's gate, and untied, %s", (_, at) => {
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
    const { outputs } = mamba.forward({ x: input, real, lengths }, undefined);
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
  checkDirection(layer, [normals([1, 2, 2], 3)], (input) =>
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
  checkDirection(model, [], loss);
});
