// Training steps in jax-js: value, gradient and update in one jit-compiled function.

import { blockUntilReady, type Array as JaxArray, jit, lax, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { measureMemory } from "../../harness/memory.ts";
import { type Builders, type Inputs, type Job, numberOf, type Params } from "../../harness/protocol.ts";
import { recordLosses } from "../../harness/serve.ts";
import { type Named, upload } from "./arrays.ts";
import { layerNorm } from "./functions.ts";

type Loss = (parameters: Named, batch: Named) => JaxArray;
/** New parameters and state from old ones and gradients. */
type Update = (parameters: Named, gradients: Named, state: Named) => [Named, Named];

function training(
  inputs: Inputs,
  params: Params,
  data: readonly string[],
  loss: Loss,
  update: Update,
  makeState: (parameters: Named) => Named = () => ({}),
): Job {
  const pick = (wanted: boolean): Named =>
    Object.fromEntries(
      Object.keys(inputs)
        .filter((name) => data.includes(name) === wanted)
        .map((name) => [name, upload(inputs[name])]),
    );
  const batch = pick(true);
  let parameters = pick(false);
  let state = makeState(parameters);
  const step = jit((p: Named, s: Named, b: Named): [JaxArray, Named, Named] => {
    const [value, gradients] = valueAndGrad(loss)(tree.ref(p), b) as [JaxArray, Named];
    return [value, ...update(p, gradients, s)];
  });
  const job = recordLosses(async () => {
    const [value, p, s] = step(parameters, state, tree.ref(batch));
    [parameters, state] = [p, s];
    await blockUntilReady([p, s]);
    return (await value.data())[0];
  });
  return { ...job, async: true, measure: () => measureMemory(job.run, numberOf(params, "steps")) };
}

const sgd =
  (lr: number): Update =>
  (parameters, gradients, state) => [
    Object.fromEntries(Object.entries(parameters).map(([name, p]) => [name, p.sub(gradients[name].mul(lr))])),
    state,
  ];

/** AdamW; the state holds both moments of every parameter and the count of steps. */
export function adamW(params: Params): { update: Update; makeState: (parameters: Named) => Named } {
  const [lr, decay, b1, b2, eps] = ["lr", "weightDecay", "beta1", "beta2", "eps"].map((key) => numberOf(params, key));
  const update: Update = (parameters, gradients, state) => {
    const steps = state.steps.add(1);
    const [c1, c2] = [b1, b2].map((beta) => np.array(1).sub(np.exp(steps.ref.mul(Math.log(beta)))));
    const next: Named = { steps };
    const moved = Object.entries(parameters).map(([name, p]): [string, JaxArray] => {
      const g = gradients[name];
      const m = state[`m ${name}`].mul(b1).add(g.ref.mul(1 - b1));
      const v = state[`v ${name}`].mul(b2).add(np.square(g).mul(1 - b2));
      [next[`m ${name}`], next[`v ${name}`]] = [m, v];
      const direction = m.ref.div(c1.ref).div(np.sqrt(v.ref.div(c2.ref)).add(eps));
      return [name, p.mul(1 - lr * decay).sub(direction.mul(lr))];
    });
    c1.dispose();
    c2.dispose();
    return [Object.fromEntries(moved), next];
  };
  const makeState = (parameters: Named): Named => ({
    steps: np.zeros([]),
    ...Object.fromEntries(
      Object.entries(parameters).flatMap(([name, p]) => [
        [`m ${name}`, np.zeros(p.shape)],
        [`v ${name}`, np.zeros(p.shape)],
      ]),
    ),
  });
  return { update, makeState };
}

/** Mean cross entropy of logits [rows, classes] and whole-number targets [rows]. */
function crossEntropy(logits: JaxArray, targets: JaxArray): JaxArray {
  const [rows, classes] = logits.shape;
  return np.sum(nn.logSoftmax(logits, -1).mul(nn.oneHot(targets, classes))).div(-rows);
}

/** Causal attention by hand: nn.dotProductAttention goes through einsum, which needs a newer Node than 20. */
function attention(q: JaxArray, k: JaxArray, v: JaxArray): JaxArray {
  const [, , length, width] = q.shape;
  const scores = np.matmul(q, np.swapaxes(k, -1, -2)).mul(1 / Math.sqrt(width));
  const visible = np.tri(length, length, 0, { dtype: np.bool });
  return np.matmul(nn.softmax(np.where(visible, scores, -np.inf), -1), v);
}

function decoderLoss(params: Params): Loss {
  const [layers, width, heads] = ["layers", "width", "heads"].map((key) => numberOf(params, key));
  return (p, { tokens, targets }) => {
    const [batch, length] = tokens.shape;
    const linear = (x: JaxArray, name: string): JaxArray => np.matmul(x, p[`${name}.w`]).add(p[`${name}.b`]);
    const norm = (x: JaxArray, name: string): JaxArray => layerNorm(x, p[`${name}.w`], p[`${name}.b`]);
    let h = np
      .take(p.tokenTable, tokens, 0)
      .add(p.positionTable)
      .reshape([batch * length, width]);
    for (let i = 0; i < layers; i++) {
      const parts = np.split(linear(norm(h.ref, `${i}.norm1`), `${i}.qkv`), 3, -1);
      const [q, k, v] = parts.map((part) =>
        np.transpose(part.reshape([batch, length, heads, width / heads]), [0, 2, 1, 3]),
      );
      const mixed = np.transpose(attention(q, k, v), [0, 2, 1, 3]).reshape([batch * length, width]);
      h = h.add(linear(mixed, `${i}.out`));
      const inner = nn.gelu(linear(norm(h.ref, `${i}.norm2`), `${i}.up`), { approximate: false });
      h = h.add(linear(inner, `${i}.down`));
    }
    return crossEntropy(linear(norm(h, "norm"), "head"), targets.reshape([batch * length]));
  };
}

/** 2 x 2 max pooling as a maximum over reshaped windows, which jax-js differentiates fastest. */
function pool(x: JaxArray): JaxArray {
  const [n, c, h, w] = x.shape;
  return np.max(x.reshape([n, c, h / 2, 2, w / 2, 2]), [3, 5]);
}

const convolve = (x: JaxArray, kernel: JaxArray, bias: JaxArray): JaxArray =>
  nn.relu(lax.conv(x, kernel, [1, 1], "SAME").add(bias.reshape([1, -1, 1, 1])));

/** The cell unrolled: jax-js has no scan. */
function gruLoss(p: Named, { x }: Named): JaxArray {
  const [steps, batch] = x.shape;
  const width = p.wh.shape[0];
  let h = np.zeros([batch, width]);
  const inputs = np.matmul(x, p.wx).add(p.bx);
  for (let t = 0; t < steps; t++) {
    const fromInput = np.split(inputs.ref.slice(t), 3, -1);
    const fromState = np.split(np.matmul(h.ref, p.wh.ref).add(p.bh.ref), 3, -1);
    const r = nn.sigmoid(fromInput[0].add(fromState[0]));
    const z = nn.sigmoid(fromInput[1].add(fromState[1]));
    const n = np.tanh(fromInput[2].add(r.mul(fromState[2])));
    h = n.ref.add(z.mul(h.sub(n)));
  }
  for (const leftover of [inputs, p.wh, p.bh]) leftover.dispose();
  return np.mean(np.square(h));
}

export const steps: Builders = {
  mlp: (inputs, params) =>
    training(
      inputs,
      params,
      ["x", "y"],
      ({ w1, b1, w2, b2 }, { x, y }) => crossEntropy(np.matmul(nn.relu(np.matmul(x, w1).add(b1)), w2).add(b2), y),
      sgd(numberOf(params, "lr")),
    ),
  decoder: (inputs, params) => {
    const { update, makeState } = adamW(params);
    return training(inputs, params, ["tokens", "targets"], decoderLoss(params), update, makeState);
  },
  cnn: (inputs, params) =>
    training(
      inputs,
      params,
      ["x", "y"],
      ({ k1, c1, k2, c2, w, b }, { x, y }) => {
        const features = pool(convolve(pool(convolve(x, k1, c1)), k2, c2));
        return crossEntropy(np.matmul(features.reshape([features.shape[0], -1]), w).add(b), y);
      },
      sgd(numberOf(params, "lr")),
    ),
  gru: (inputs, params) => training(inputs, params, ["x"], gruLoss, sgd(numberOf(params, "lr"))),
};
