// Training steps, compiled whole: forward, backward and optimizer in one program.

import {
  compile,
  conv2d,
  gelu,
  indexSelect,
  layerNorm,
  maxPool2d,
  relu,
  scaledDotProductAttention,
  scan,
  type Tensor,
  zeros,
} from "../../engine/index.ts";
import { AdamW, crossEntropy, type Optimizer, SGD } from "../../nn/index.ts";
import { measureMemory } from "../harness/memory.ts";
import { type Builders, type Inputs, type Job, numberOf, type Params } from "../harness/protocol.ts";
import { recordLosses } from "../harness/serve.ts";
import { upload } from "./compiled.ts";

type Named = Readonly<Record<string, Tensor>>;

/** A compiled step. What `data` names is passed at every call; the other inputs are parameters. */
function training(
  inputs: Inputs,
  params: Params,
  data: readonly string[],
  optimizer: (parameters: Tensor[]) => Optimizer,
  loss: (x: Named, p: Named) => Tensor,
): Job {
  const batch = Object.fromEntries(data.map((name) => [name, upload(inputs[name])]));
  const names = Object.keys(inputs).filter((name) => !data.includes(name));
  const parameters = Object.fromEntries(names.map((name) => [name, upload(inputs[name], true)]));
  const update = optimizer(Object.values(parameters));
  const step = compile((x: Named) => {
    update.zeroGrad();
    const value = loss(x, parameters);
    value.backward();
    update.step();
    return value;
  });
  const job = recordLosses(() => step(batch).item());
  return { ...job, measure: () => measureMemory(job.run, numberOf(params, "steps")) };
}

const sgd =
  (params: Params) =>
  (parameters: Tensor[]): Optimizer =>
    new SGD(parameters, { lr: numberOf(params, "lr") });

const linear = (x: Tensor, p: Named, name: string): Tensor => x.matmul(p[`${name}.w`]).add(p[`${name}.b`]);

function decoderLoss(x: Named, p: Named, params: Params): Tensor {
  const [batch, length] = x.tokens.shape;
  const [width, heads] = [numberOf(params, "width"), numberOf(params, "heads")];
  const norm = (h: Tensor, name: string): Tensor =>
    layerNorm(h, [width], { weight: p[`${name}.w`], bias: p[`${name}.b`], eps: numberOf(params, "normEps") });
  let h = indexSelect(p.tokenTable, 0, x.tokens)
    .add(p.positionTable)
    .reshape([batch * length, width]);
  for (let i = 0; i < numberOf(params, "layers"); i++) {
    const qkv = linear(norm(h, `${i}.norm1`), p, `${i}.qkv`).reshape([batch, length, 3, heads, width / heads]);
    const [q, k, v] = qkv.permute([2, 0, 3, 1, 4]).split(1, 0);
    const mixed = scaledDotProductAttention(q.squeeze(0), k.squeeze(0), v.squeeze(0), { causal: true });
    h = h.add(linear(mixed.permute([0, 2, 1, 3]).reshape([batch * length, width]), p, `${i}.out`));
    h = h.add(linear(gelu(linear(norm(h, `${i}.norm2`), p, `${i}.up`)), p, `${i}.down`));
  }
  return crossEntropy(linear(norm(h, "norm"), p, "head"), x.targets.reshape([-1]));
}

const convolve = (x: Tensor, kernel: Tensor, bias: Tensor): Tensor =>
  maxPool2d(relu(conv2d(x, kernel, { bias, padding: "same" })), 2);

function gruLoss({ x }: Named, p: Named): Tensor {
  const width = p.wh.shape[0];
  const start = zeros([x.shape[1], width]);
  const [last] = scan(
    (h: Tensor, input: Tensor): [Tensor, null] => {
      const fromInput = input.split(width, 1);
      const fromState = h.matmul(p.wh).add(p.bh).split(width, 1);
      const r = fromInput[0].add(fromState[0]).sigmoid();
      const z = fromInput[1].add(fromState[1]).sigmoid();
      const n = fromInput[2].add(r.mul(fromState[2])).tanh();
      return [n.add(z.mul(h.sub(n))), null];
    },
    start,
    x.matmul(p.wx).add(p.bx),
  );
  return last.square().mean();
}

function rnnLoss({ x }: Named, p: Named): Tensor {
  const [, states] = scan(
    (h: Tensor, input: Tensor): [Tensor, Tensor] => {
      const next = input.matmul(p.wx).add(h.matmul(p.wh)).add(p.b).tanh();
      return [next, next];
    },
    zeros([x.shape[1], p.wh.shape[0]]),
    x,
  );
  return states.square().mean();
}

export const steps: Builders = {
  mlp: (inputs, params) =>
    training(inputs, params, ["x", "y"], sgd(params), ({ x, y }, { w1, b1, w2, b2 }) =>
      crossEntropy(relu(x.matmul(w1).add(b1)).matmul(w2).add(b2), y),
    ),
  decoder: (inputs, params) =>
    training(
      inputs,
      params,
      ["tokens", "targets"],
      (parameters) =>
        new AdamW(parameters, {
          lr: numberOf(params, "lr"),
          betas: [numberOf(params, "beta1"), numberOf(params, "beta2")],
          eps: numberOf(params, "eps"),
          weightDecay: numberOf(params, "weightDecay"),
        }),
      (x, p) => decoderLoss(x, p, params),
    ),
  cnn: (inputs, params) =>
    training(inputs, params, ["x", "y"], sgd(params), ({ x, y }, { k1, c1, k2, c2, w, b }) => {
      const features = convolve(convolve(x, k1, c1), k2, c2);
      return crossEntropy(features.flatten(1).matmul(w).add(b), y);
    }),
  gru: (inputs, params) => training(inputs, params, ["x"], sgd(params), gruLoss),
  rnn: (inputs, params) => training(inputs, params, ["x"], sgd(params), rnnLoss),
};
