// Whole training steps: forward, backward and update, the loss read every time.

import type { Group, InputSpec, Workload } from "../harness/protocol.ts";
import { floats, integers, seeded, weights } from "./inputs.ts";

const batch = 64;
const mlpInputs: Readonly<Record<string, InputSpec>> = seeded({
  x: (seed) => floats(seed, [batch, 784], 0, 1),
  y: (seed) => integers(seed, [batch], 10),
  w1: (seed) => weights(seed, [784, 256]),
  b1: (seed) => floats(seed, [256], -0.05, 0.05),
  w2: (seed) => weights(seed, [256, 10]),
  b2: (seed) => floats(seed, [10], -0.05, 0.05),
});

/** x w1 + b1, relu, w2 + b2, mean cross entropy, plain SGD. */
const mlp: Workload = {
  id: "MLP 784-256-10 step, batch 64, SGD",
  op: "mlp",
  params: { lr: 0.01 },
  inputs: mlpInputs,
  flop: 2 * batch * (2 * 784 * 256 + 3 * 256 * 10),
  tolerance: 1e-4,
};

const lm = { layers: 4, width: 128, heads: 4, length: 128, batch: 8, vocab: 96 } as const;

/** Pre-norm decoder: token and position embeddings, causal attention, 4x GELU (erf) MLP, final norm, head; AdamW. */
function decoder(): Workload {
  const { layers, width, length, vocab } = lm;
  const bias = (side: number) => (seed: number) => floats(seed, [side], -0.02, 0.02);
  const gain = (seed: number) => floats(seed, [width], 0.9, 1.1);
  const linear = (name: string, from: number, to: number) => ({
    [`${name}.w`]: (seed: number) => weights(seed, [from, to]),
    [`${name}.b`]: bias(to),
  });
  const norm = (name: string) => ({ [`${name}.w`]: gain, [`${name}.b`]: bias(width) });
  const block = (i: number) => ({
    ...norm(`${i}.norm1`),
    ...linear(`${i}.qkv`, width, 3 * width),
    ...linear(`${i}.out`, width, width),
    ...norm(`${i}.norm2`),
    ...linear(`${i}.up`, width, 4 * width),
    ...linear(`${i}.down`, 4 * width, width),
  });
  const inputs = seeded({
    tokens: (seed) => integers(seed, [lm.batch, length], vocab),
    targets: (seed) => integers(seed, [lm.batch, length], vocab),
    tokenTable: (seed) => floats(seed, [vocab, width], -0.5, 0.5),
    positionTable: (seed) => floats(seed, [length, width], -0.5, 0.5),
    ...Object.assign({}, ...Array.from({ length: layers }, (_, i) => block(i))),
    ...norm("norm"),
    ...linear("head", width, vocab),
  });
  const perToken = layers * (2 * 12 * width * width + 4 * length * width) + 2 * width * vocab;
  return {
    id: "decoder LM step, 4 layers, AdamW",
    op: "decoder",
    params: { ...lm, lr: 1e-3, weightDecay: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, normEps: 1e-5 },
    inputs,
    flop: 3 * perToken * lm.batch * length,
    tolerance: 2e-3,
  };
}

/** conv 3x3 1->16, relu, max pool 2, conv 3x3 16->32, relu, max pool 2, linear 1568->10, cross entropy, SGD. */
const cnn: Workload = {
  id: "small CNN step, batch 32, SGD",
  op: "cnn",
  params: { lr: 0.01 },
  inputs: seeded({
    x: (seed) => floats(seed, [32, 1, 28, 28], 0, 1),
    y: (seed) => integers(seed, [32], 10),
    k1: (seed) => floats(seed, [16, 1, 3, 3], -1 / 3, 1 / 3),
    c1: (seed) => floats(seed, [16], -0.1, 0.1),
    k2: (seed) => floats(seed, [32, 16, 3, 3], -1 / 12, 1 / 12),
    c2: (seed) => floats(seed, [32], -0.1, 0.1),
    w: (seed) => weights(seed, [1568, 10]),
    b: (seed) => floats(seed, [10], -0.05, 0.05),
  }),
  flop: 2 * 32 * (2 * 16 * 9 * 784 + 3 * 32 * 16 * 9 * 196 + 3 * 1568 * 10),
  tolerance: 1e-3,
};

/** One GRU layer over 50 steps (PyTorch's equations, gates r, z, n), mean square of the last state, SGD. */
const gru: Workload = {
  id: "GRU step, batch 64, 50 steps, width 64, SGD",
  op: "gru",
  params: { lr: 0.01 },
  inputs: seeded({
    x: (seed) => floats(seed, [50, 64, 64]),
    wx: (seed) => weights(seed, [64, 192]),
    wh: (seed) => weights(seed, [64, 192]),
    bx: (seed) => floats(seed, [192], -0.1, 0.1),
    bh: (seed) => floats(seed, [192], -0.1, 0.1),
  }),
  flop: 2 * 50 * 64 * 64 * 192 * 5,
  tolerance: 1e-3,
};

/** h = tanh(x wx + h wh + b) over 64 steps, mean square of all states, SGD: what a first call through `scan` costs. */
const rnn: Workload = {
  id: "RNN 64 steps through scan, with gradients, batch 16, width 64, SGD",
  op: "rnn",
  params: { lr: 0.01 },
  inputs: seeded({
    x: (seed) => floats(seed, [64, 16, 64]),
    wx: (seed) => weights(seed, [64, 64]),
    wh: (seed) => weights(seed, [64, 64]),
    b: (seed) => floats(seed, [64], -0.1, 0.1),
  }),
  flop: 2 * 64 * 16 * 64 * 64 * 5,
  tolerance: 1e-3,
};

export const steps: Group = { name: "steps", fresh: true, workloads: [mlp, decoder(), cnn, gru, rnn] };

const links = 200;

export const overhead: Group = {
  name: "overhead",
  fresh: true,
  workloads: [
    {
      // 200 products of 4 x 4 in a row: what a kernel costs when there is next to nothing to compute.
      id: "one kernel of a replayed chain of 200",
      op: "chain",
      params: { links },
      inputs: { x: floats(1, [4, 4]), w: floats(2, [4, 4], -0.2, 0.2), b: floats(3, [4, 4]) },
      parts: links,
      tolerance: 1e-4,
    },
  ],
};

/** 10,000 MLP steps after the first 100. */
export const memory: Group = {
  name: "memory",
  fresh: true,
  workloads: [
    {
      ...mlp,
      id: "memory of 10,000 MLP steps",
      params: { ...mlp.params, steps: 10_000 },
      measures: ["RSS growth, KiB", "JavaScript heap a step, bytes", "steps"],
    },
  ],
};
