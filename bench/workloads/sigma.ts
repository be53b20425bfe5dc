// A training step of SIGMA at the size of its Beauty data set, without dropout, whose random numbers no two libraries share.

import type { Group, InputSpec } from "../harness/protocol.ts";
import { floats, integers } from "./inputs.ts";

const sizes = { items: 12_102, size: 64, inner: 128, states: 32, rank: 4, batch: 256, length: 50, kept: 5 } as const;

/** Inputs and parameters; those are named as the model names them. */
function inputs(): Readonly<Record<string, InputSpec>> {
  const { items, size, inner, states, rank, batch, length } = sizes;
  let seed = 0;
  const uniform = (shape: readonly number[], low: number, high: number): InputSpec => floats(++seed, shape, low, high);
  /** [to, ...from] in +- 1 / sqrt(fan in). */
  const weight = (...shape: number[]): InputSpec => {
    const bound = 1 / Math.sqrt(shape.slice(1).reduce((product, side) => product * side, 1));
    return uniform(shape, -bound, bound);
  };
  const linear = (name: string, to: number, ...from: number[]): Record<string, InputSpec> => ({
    [`${name}.weight`]: weight(to, ...from),
    [`${name}.bias`]: uniform([to], -0.1, 0.1),
  });
  const norm = (name: string): Record<string, InputSpec> => ({
    [`${name}.weight`]: uniform([size], 0.9, 1.1),
    [`${name}.bias`]: uniform([size], -0.1, 0.1),
  });
  const [layer, mixer] = ["layers.0", "layers.0.mixer"];
  const mamba = `${mixer}.pfMamba.mamba`;
  return {
    ids: { ...integers(++seed, [batch, length], items), low: 1 },
    lengths: { ...integers(++seed, [batch], length + 1), low: 1 },
    targets: { ...integers(++seed, [batch], items), low: 1 },
    "table.weight": uniform([items, size], -0.03, 0.03),
    ...norm("norm"),
    [`${mamba}.inProj.weight`]: weight(2 * inner, size),
    ...linear(`${mamba}.conv1d`, inner, 1, 4),
    [`${mamba}.xProj.weight`]: weight(rank + 2 * states, inner),
    [`${mamba}.dtProj.weight`]: weight(inner, rank),
    [`${mamba}.dtProj.bias`]: uniform([inner], -6, -2),
    [`${mamba}.aLog`]: uniform([inner, states], 0, 3.4),
    [`${mamba}.d`]: uniform([inner], 0.9, 1.1),
    [`${mamba}.outProj.weight`]: weight(size, inner),
    ...linear(`${mixer}.gate.inForwards`, size, size),
    ...linear(`${mixer}.gate.inFlipped`, size, size),
    ...linear(`${mixer}.gate.conv`, size, size, 3),
    ...linear(`${mixer}.gate.delta`, size, size),
    ...linear(`${mixer}.features.conv`, size, size, 3),
    [`${mixer}.features.gru.cells.0.weightIh`]: weight(3 * size, size),
    [`${mixer}.features.gru.cells.0.weightHh`]: weight(3 * size, size),
    [`${mixer}.mix`]: uniform([3], 0.1, 0.8),
    ...linear(`${mixer}.projection`, size, size),
    ...norm(`${layer}.norm`),
    ...linear(`${layer}.feedForward.upProj`, 4 * size, size),
    ...linear(`${layer}.feedForward.downProj`, size, 4 * size),
    ...norm(`${layer}.outNorm`),
  };
}

/** Multiply-adds of a forward pass, where only what is read at the last item is computed there only. */
function multiplyAdds(): number {
  const { items, size, inner, states, rank, batch, length } = sizes;
  const mamba = size * inner + 4 * inner + (rank + states) * inner + rank * inner + 4 * inner * states;
  return batch * length * (2 * mamba + 9 * size * size) + batch * items * size;
}

export const sigma: Group = {
  name: "sigma",
  fresh: true,
  workloads: [
    {
      id: "SIGMA step, 12,102 items, width 64, batch 256, 50 steps, Adam",
      op: "sigma",
      params: { ...sizes, lr: 1e-3, weightDecay: 0, beta1: 0.9, beta2: 0.999, eps: 1e-8, normEps: 1e-5 },
      inputs: inputs(),
      flop: 6 * multiplyAdds(),
      tolerance: 1e-3,
    },
  ],
};
