// Worked examples: scan, convolution, GRU and a whole G-Mamba block, to the digits they were printed with.

import { beforeAll, expect, test } from "vitest";
import { conv1d, selectiveScan, setBackend, type Tensor } from "../../../engine/index.ts";
import { GRU } from "../../../nn/index.ts";
import { GMamba, type GMambaOptions } from "../../../papers/sigma/model/gmamba.ts";
import { close, f64, i32, values } from "../../nn/tools.ts";

beforeAll(() => setBackend("wasm"));

/** Half a unit of the sixth decimal, and a little for how it was rounded. */
const digits = 5.1e-7;
const dtype = "f64";

test("selective scan: one channel, two states, both rules for B", () => {
  const scan = (discretisation: "euler" | "zoh"): { y: Tensor; state: Tensor } =>
    selectiveScan(
      f64([[[1], [-0.5], [2]]]),
      f64([[[0.5], [1], [0.25]]]),
      f64([[-1, -2]]),
      f64([
        [
          [1, 0.5],
          [0, 1],
          [2, -1],
        ],
      ]),
      f64([
        [
          [1, 1],
          [0.5, -1],
          [1, 2],
        ],
      ]),
      { D: f64([0.3]), discretisation },
    );
  const euler = scan("euler");
  close(euler.y, [1.05, 0.408136, 0.177764], digits);
  close(euler.state, [1.143252, -0.782744], digits);
  const exact = scan("zoh");
  close(exact.y, [0.851499, 0.117154, 0.57431], digits);
  close(exact.state, [0.997528, -0.511609], digits);
});

test("causal convolution and SiLU", () => {
  const x = f64([[[1, 2, -1, 0.5, 3]]]);
  const y = conv1d(x, f64([[[0.1, -0.2, 0.3, 0.5]]]), { bias: f64([0.05]), padding: "causal" });
  close(y, [0.55, 1.35, -0.05, -0.3, 2.1], digits);
  close(y.silu(), [0.348775, 1.072075, -0.024375, -0.127667, 1.870897], digits);
});

test("GRU without bias", () => {
  const gru = new GRU(2, 2, { bias: false, dtype });
  const [ih, hh] = gru.parameters();
  ih.copyFrom([0.5, -0.3, 0.2, 0.1, -0.4, 0.6, 0.3, 0.3, 1, -1, 0.5, 0.25]);
  hh.copyFrom([0.1, 0.2, -0.3, 0.4, 0.5, -0.5, 0.2, 0.2, 0.3, -0.6, 0.7, 0.1]);
  close(
    gru.forward(
      f64([
        [
          [1, -1],
          [0.5, 2],
        ],
      ]),
    ).output,
    [0.704761, 0.122459, 0.36005, 0.307562],
    digits,
  );
});

const common = {
  "pfMamba.mamba.inProj.weight": [0.5, -1, 0.8, 0.4],
  "pfMamba.mamba.conv1d.weight": [0.2, 1, -0.5, 0.7],
  "pfMamba.mamba.conv1d.bias": [0, 0.1],
  "pfMamba.mamba.xProj.weight": [0.3, -0.2, 1, 0.5, 0.6, -0.4],
  "pfMamba.mamba.dtProj.weight": [0.9, -0.7],
  "pfMamba.mamba.dtProj.bias": [0.1, -0.2],
  "pfMamba.mamba.aLog": [0, Math.log(2)],
  "pfMamba.mamba.d": [1, 0.5],
  "pfMamba.mamba.outProj.weight": [0.7, -1.2],
  "features.conv.weight": [0.25, -0.5, 1],
  "features.conv.bias": [0],
  "features.gru.cells.0.weightIh": [0.4, -0.3, 1.1],
  "features.gru.cells.0.weightHh": [0.2, 0.5, -0.6],
  mix: [0.8, 0.1, 0.1],
  "projection.weight": [1.25],
  "projection.bias": [-0.05],
};
const paperGate = {
  "gate.inForwards.weight": [0.6],
  "gate.inForwards.bias": [0.1],
  "gate.inFlipped.weight": [-0.4],
  "gate.inFlipped.bias": [0.2],
  "gate.conv.weight": [0.3, 0.5, -0.2],
  "gate.conv.bias": [0.05],
  "gate.delta.weight": [1.5],
  "gate.delta.bias": [-0.1],
};
const releasedGate = {
  "gate.dense1.weight": [0.6],
  "gate.dense1.bias": [0.1],
  "gate.dense2.weight": [-0.4],
  "gate.dense2.bias": [0.2],
  "gate.silu.weight": [0.7],
  "gate.silu.bias": [0],
  "gate.sigmoid.weight": [-0.5],
  "gate.sigmoid.bias": [0.1],
};

/** d = 1, D = 2, N = 1, k = 2, R = 1, r = 1, L = len = 4. */
function block(options: GMambaOptions, weights: Readonly<Record<string, number[]>>) {
  const model = new GMamba(1, { states: 1, taps: 2, expand: 2, rank: 1, kept: 1, dtype, ...options }).eval();
  const named = new Map(model.namedParameters());
  expect([...named.keys()].sort()).toEqual(Object.keys(weights).sort());
  for (const [name, numbers] of Object.entries(weights)) named.get(name)?.copyFrom(Float64Array.from(numbers));
  const histories = { x: f64([[[1], [-2], [0.5], [1.5]]]), real: undefined, lengths: i32([4]) };
  const { inputs, outputs } = model.pfMamba.forward(histories, undefined);
  return { inputs, outputs, branches: model.branches(histories, undefined), y: model.forward(histories, undefined) };
}

test("a whole G-Mamba block with the paper's gate", () => {
  const { inputs, outputs, branches, y } = block({}, { ...common, ...paperGate });
  expect(values(inputs.flipped.x)).toEqual([0.5, -2, 1, 1.5]);
  close(outputs.forwards, [0.158125, 0.093959, 0.017458, 0.454881], digits);
  close(outputs.flipped, [0.031074, 0.145342, 0.093309, 0.491412], digits);
  close(branches.gate?.forwards ?? [], [1.27433, 0.117943, 0.178969, 1.356314], digits);
  close(branches.gate?.flipped ?? [], [0.283134, 1.225861, 0.833493, 0.232663], digits);
  close(branches.features ?? [], [-0.31821, 0.536267, 0.547532, 0.070568], digits);
  close(y, [0.274835, 0.162513, 0.060409, 1.106381], digits);
});

test("the same block with the released gate", () => {
  const { branches, y } = block({ gate: "release" }, { ...common, ...releasedGate });
  close(branches.gate?.forwards ?? [], [0.683419, -0.015096, 0.192423, 1.255177], digits);
  close(branches.gate?.flipped ?? [], [-0.01439, -0.336372, 0.212407, 0.288603], digits);
  close(y, [0.180242, 0.121631, 0.0534, 1.063812], digits);
});
