// Training steps in TensorFlow.js: eager operations, its optimizers where it has them.

import * as tf from "@tensorflow/tfjs";
import { measureMemory } from "../../harness/memory.ts";
import { type Builders, type Inputs, type Job, numberOf, type Params } from "../../harness/protocol.ts";
import { recordLosses } from "../../harness/serve.ts";
import { gelu, layerNorm, type Named, upload } from "./functions.ts";

function training(
  inputs: Inputs,
  params: Params,
  data: readonly string[],
  optimizer: tf.Optimizer,
  loss: (p: Named, batch: Named) => tf.Scalar,
  decay = 0,
): Job {
  const names = Object.keys(inputs);
  const batch = Object.fromEntries(data.map((name) => [name, upload(inputs[name])]));
  const parameters = Object.fromEntries(
    names.filter((name) => !data.includes(name)).map((name) => [name, tf.variable(upload(inputs[name]))]),
  );
  const list = Object.values(parameters);
  const job = recordLosses(() => {
    // Decoupled weight decay, which its Adam does not have.
    if (decay > 0) for (const p of list) tf.tidy(() => p.assign(tf.mul(p, 1 - decay)));
    const value = optimizer.minimize(() => loss(parameters, batch), true, list) as tf.Scalar;
    const [number] = value.dataSync();
    value.dispose();
    return number;
  });
  return { ...job, measure: () => measureMemory(job.run, numberOf(params, "steps")) };
}

/** Mean cross entropy of logits [rows, classes] and whole-number targets [rows]. */
function crossEntropy(logits: tf.Tensor, targets: tf.Tensor): tf.Scalar {
  const [rows, classes] = logits.shape as [number, number];
  const picked = tf.mul(tf.logSoftmax(logits, -1), tf.oneHot(targets as tf.Tensor1D, classes));
  return tf.div(tf.neg(tf.sum(picked)), rows);
}

function decoderLoss(params: Params): (p: Named, batch: Named) => tf.Scalar {
  const [layers, width, heads, vocab] = ["layers", "width", "heads", "vocab"].map((key) => numberOf(params, key));
  return (p, { tokens, targets }) => {
    const [batch, length] = tokens.shape as [number, number];
    const rows = batch * length;
    const linear = (x: tf.Tensor, name: string): tf.Tensor => tf.add(tf.matMul(x, p[`${name}.w`]), p[`${name}.b`]);
    const norm = (x: tf.Tensor, name: string): tf.Tensor => layerNorm(x, p[`${name}.w`], p[`${name}.b`]);
    const hidden = tf.linalg.bandPart(tf.ones([length, length]), -1, 0);
    const mask = tf.mul(tf.sub(hidden, 1), 1e9);
    // A lookup as a product: the wasm backend has no gradient of gather.
    const chosen = tf.oneHot(tf.reshape(tokens, [rows]) as tf.Tensor1D, vocab) as tf.Tensor;
    const embedded = tf.reshape(tf.matMul(tf.cast(chosen, "float32"), p.tokenTable), [batch, length, width]);
    let h: tf.Tensor = tf.reshape(tf.add(embedded, p.positionTable), [rows, width]);
    for (let i = 0; i < layers; i++) {
      const parts = tf.split(linear(norm(h, `${i}.norm1`), `${i}.qkv`), 3, -1);
      const [q, k, v] = parts.map((part) =>
        tf.transpose(tf.reshape(part, [batch, length, heads, width / heads]), [0, 2, 1, 3]),
      );
      const scores = tf.add(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(width / heads)), mask);
      const mixed = tf.transpose(tf.matMul(tf.softmax(scores, -1), v), [0, 2, 1, 3]);
      h = tf.add(h, linear(tf.reshape(mixed, [rows, width]), `${i}.out`));
      h = tf.add(h, linear(gelu(linear(norm(h, `${i}.norm2`), `${i}.up`)), `${i}.down`));
    }
    return crossEntropy(linear(norm(h, "norm"), "head"), tf.reshape(targets, [rows]));
  };
}

function gruLoss(p: Named, { x }: Named): tf.Scalar {
  const [steps, batch] = x.shape as [number, number];
  const width = p.wh.shape[0];
  let h: tf.Tensor = tf.zeros([batch, width]);
  const inputs = tf.unstack(
    tf.reshape(tf.add(tf.matMul(tf.reshape(x, [steps * batch, -1]), p.wx), p.bx), [steps, batch, 3 * width]),
  );
  for (const input of inputs) {
    const fromInput = tf.split(input, 3, -1);
    const fromState = tf.split(tf.add(tf.matMul(h, p.wh), p.bh), 3, -1);
    const r = tf.sigmoid(tf.add(fromInput[0], fromState[0]));
    const z = tf.sigmoid(tf.add(fromInput[1], fromState[1]));
    const n = tf.tanh(tf.add(fromInput[2], tf.mul(r, fromState[2])));
    h = tf.add(n, tf.mul(z, tf.sub(h, n)));
  }
  return tf.mean(tf.square(h));
}

export const steps: Builders = {
  mlp: (inputs, params) =>
    training(inputs, params, ["x", "y"], tf.train.sgd(numberOf(params, "lr")), ({ w1, b1, w2, b2 }, { x, y }) =>
      crossEntropy(tf.add(tf.matMul(tf.relu(tf.add(tf.matMul(x, w1), b1)), w2), b2), y),
    ),
  decoder: (inputs, params) => {
    const [lr, beta1, beta2, eps] = ["lr", "beta1", "beta2", "eps"].map((key) => numberOf(params, key));
    const adam = tf.train.adam(lr, beta1, beta2, eps);
    const decay = lr * numberOf(params, "weightDecay");
    return training(inputs, params, ["tokens", "targets"], adam, decoderLoss(params), decay);
  },
  gru: (inputs, params) => training(inputs, params, ["x"], tf.train.sgd(numberOf(params, "lr")), gruLoss),
};
