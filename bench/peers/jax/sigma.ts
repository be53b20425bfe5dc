// SIGMA's training step in jax-js: recurrences unrolled (it has no scan), the batch in pieces, or the 50 states of all
// samples, 8 MiB each and some five a step kept for the gradient, would not fit its memory.

import { blockUntilReady, type Array as JaxArray, jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { type Builders, type HostInput, type Inputs, numberOf, type Params } from "../../harness/protocol.ts";
import { recordLosses } from "../../harness/serve.ts";
import { type Named, upload } from "./arrays.ts";
import { layerNorm } from "./functions.ts";
import { adamW } from "./steps.ts";

const host = (data: Int32Array | Float32Array, shape: number[]): HostInput => ({
  data,
  shape,
  dtype: data instanceof Int32Array ? "i32" : "f32",
});

/** A piece of the batch, with all that follows from lengths alone worked out on the host. */
function pieceOf({ ids, lengths, targets }: Inputs, from: number, count: number, kept: number): Named {
  const steps = ids.shape[1];
  const ends = Array.from(lengths.data.subarray(from, from + count));
  const positions = Array.from({ length: count * steps }, (_, i) => [Math.floor(i / steps), i % steps] as const);
  const order = positions.map(([row, t]) => {
    const early = Math.max(0, ends[row] - kept);
    return row * steps + (t < early ? early - 1 - t : t);
  });
  const real = positions.map(([row, t]) => (t < ends[row] ? 1 : 0));
  /** The last item and its neighbours, and which of them there are. */
  const around = ends.flatMap((end, row) => [-1, 0, 1].map((by) => [row, end - 1 + by, end] as const));
  const inside = around.map(([, at, end]) => (at >= 0 && at < end ? 1 : 0));
  const seen = around.map(([row, at]) => row * steps + Math.min(Math.max(at, 0), steps - 1));
  return Object.fromEntries(
    Object.entries({
      ids: host(Int32Array.from(ids.data.subarray(from * steps, (from + count) * steps)), [count * steps]),
      targets: host(
        Int32Array.from(targets.data.subarray(from, from + count), (id) => id - 1),
        [count],
      ),
      order: host(Int32Array.from(order), [count * steps]),
      real: host(Float32Array.from(real), [count, steps, 1]),
      // Of both directions. Numbers of rows must be given: jax-js compiles no gradient for computed ones.
      lasts: host(
        Int32Array.from([...ends, ...ends], (end, row) => row * steps + end - 1),
        [2 * count],
      ),
      one: host(Float32Array.of(1), [1]),
      around: host(Int32Array.from(seen), [count * 3]),
      inside: host(Float32Array.from(inside), [count * 3, 1]),
    }).map(([name, input]) => [name, upload(input)]),
  );
}

/** Rows of x [n, size], by number. The 1 it is multiplied with makes jax-js 0.1 store the gradient that it scatters. */
const rows = (x: JaxArray, at: JaxArray, one: JaxArray): JaxArray => np.take(x, at, 0).mul(one);
/** x W^T for W [to, from]. */
const product = (x: JaxArray, weight: JaxArray): JaxArray => np.matmul(x, np.transpose(weight));

/** Mean cross entropy of a piece. Every parameter is used through `.ref`; what is left is freed by the caller. */
function lossOf(params: Params): (p: Named, batch: Named) => JaxArray {
  const [size, inner, states, rank, steps] = ["size", "inner", "states", "rank", "length"].map((key) =>
    numberOf(params, key),
  );
  return (p, b) => {
    const w = (name: string): JaxArray => p[name].ref;
    const linear = (x: JaxArray, name: string): JaxArray => product(x, w(`${name}.weight`)).add(w(`${name}.bias`));
    const norm = (x: JaxArray, name: string): JaxArray => layerNorm(x, w(`${name}.weight`), w(`${name}.bias`));
    const count = b.targets.shape[0];
    const mixer = "layers.0.mixer";

    const embedded = norm(rows(w("table.weight"), b.ids.ref, b.one.ref), "norm")
      .reshape([count, steps, size])
      .mul(b.real.ref);
    const x = embedded.reshape([count * steps, size]);
    const flipped = rows(x.ref, b.order.ref, b.one.ref);

    // Mamba of both directions as one batch, its output at the last items only, as ours.
    const mamba = `${mixer}.pfMamba.mamba`;
    const both = np.concatenate([x.ref, flipped.ref]);
    const inProj = w(`${mamba}.inProj.weight`);
    const xProj = w(`${mamba}.xProj.weight`);
    const mixed = product(both.ref, inProj.ref.slice([0, inner])).reshape([2 * count, steps, inner]);
    const padded = np.pad(mixed, [
      [0, 0],
      [3, 0],
      [0, 0],
    ]);
    const taps = np.transpose(w(`${mamba}.conv1d.weight`).reshape([inner, 4]));
    let convolved = w(`${mamba}.conv1d.bias`);
    for (let j = 0; j < 4; j++) convolved = convolved.add(padded.ref.slice([], [j, j + steps]).mul(taps.ref.slice(j)));
    const u = nn.silu(convolved);
    const projected = product(u.ref.reshape([2 * count * steps, inner]), xProj.ref.slice([0, rank + states]));
    const delta = nn
      .softplus(product(projected.ref.slice([], [0, rank]), w(`${mamba}.dtProj.weight`)).add(w(`${mamba}.dtProj.bias`)))
      .reshape([2 * count, steps, inner])
      .mul(np.concatenate([b.real.ref, b.real.ref]));
    const B = projected.slice([], [rank, rank + states]).reshape([2 * count, steps, states]);
    const A = np.negative(np.exp(w(`${mamba}.aLog`)));
    const driven = delta.ref.mul(u.ref);
    let h = np.zeros([2 * count, inner, states]);
    for (let t = 0; t < steps; t++) {
      const step = delta.ref.slice([], t).reshape([2 * count, inner, 1]);
      const input = driven.ref.slice([], t).reshape([2 * count, inner, 1]);
      h = h.mul(np.exp(step.mul(A.ref))).add(input.mul(B.ref.slice([], t).reshape([2 * count, 1, states])));
    }
    const lasts = b.lasts;
    const uLast = rows(u.reshape([2 * count * steps, inner]), lasts.ref, b.one.ref);
    const C = product(uLast.ref, xProj.slice([rank + states, rank + 2 * states])).reshape([2 * count, 1, states]);
    const z = product(rows(both, lasts.ref, b.one.ref), inProj.slice([inner, 2 * inner]));
    const y = np
      .sum(h.mul(C), -1)
      .add(uLast.mul(w(`${mamba}.d`)))
      .mul(nn.silu(z));
    const m = product(y, w(`${mamba}.outProj.weight`));

    // The gate at the last items.
    const kernel = (name: string): JaxArray => np.transpose(w(name), [0, 2, 1]).reshape([size, 3 * size]);
    const gated = (input: JaxArray, name: string, output: JaxArray): JaxArray => {
      const near = linear(rows(input, b.around.ref, b.one.ref), `${mixer}.gate.${name}`)
        .mul(b.inside.ref)
        .reshape([count, 3 * size]);
      const g = product(near, kernel(`${mixer}.gate.conv.weight`)).add(w(`${mixer}.gate.conv.bias`));
      const d = linear(g, `${mixer}.gate.delta`);
      return nn.sigmoid(d.ref).mul(d.add(1)).add(1).mul(output);
    };
    const zf = gated(x.ref, "inForwards", m.ref.slice([0, count]));
    const zb = gated(flipped, "inFlipped", m.slice([count, 2 * count]));

    // FE-GRU; its state stays where a history has ended.
    const bordered = np.pad(x.reshape([count, steps, size]), [
      [0, 0],
      [1, 1],
      [0, 0],
    ]);
    const windows = np.concatenate(
      [0, 1, 2].map((j) => bordered.ref.slice([], [j, j + steps])),
      -1,
    );
    bordered.dispose();
    const local = product(windows.reshape([count * steps, 3 * size]), kernel(`${mixer}.features.conv.weight`)).add(
      w(`${mixer}.features.conv.bias`),
    );
    const inputs = product(local, w(`${mixer}.features.gru.cells.0.weightIh`)).reshape([count, steps, 3 * size]);
    const recurrent = np.transpose(w(`${mixer}.features.gru.cells.0.weightHh`));
    let s = np.zeros([count, size]);
    for (let t = 0; t < steps; t++) {
      const [xr, xz, xn] = np.split(inputs.ref.slice([], t), 3, -1);
      const [hr, hz, hn] = np.split(np.matmul(s.ref, recurrent.ref), 3, -1);
      const gate = nn.sigmoid(xz.add(hz));
      const n = np.tanh(xn.add(nn.sigmoid(xr.add(hr)).mul(hn)));
      const moved = np.subtract(1, gate).mul(n.sub(s.ref)).mul(b.real.ref.slice([], t));
      s = s.add(moved);
    }
    const mix = (i: number): JaxArray => w(`${mixer}.mix`).slice([i, i + 1]);
    const sum = zf
      .mul(mix(0))
      .add(zb.mul(mix(1)))
      .add(s.mul(mix(2)));
    const h1 = norm(linear(sum, `${mixer}.projection`), "layers.0.norm");
    const inside = nn.gelu(linear(h1.ref, "layers.0.feedForward.upProj"), { approximate: false });
    const out = norm(linear(inside, "layers.0.feedForward.downProj").add(h1), "layers.0.outNorm");
    // Without the padding id.
    const items = p["table.weight"].shape[0];
    const logits = product(out, w("table.weight").slice([1, items]));
    const targets = nn.oneHot(b.targets.ref, items - 1);
    for (const leftover of [padded, taps, delta, driven, B, A, inputs, recurrent]) leftover.dispose();
    tree.dispose([p, b]);
    return np.sum(nn.logSoftmax(logits, -1).mul(targets)).div(-count);
  };
}

/** How many pieces a batch is cut into: the fastest of 2, 4, 8 and 16 (whole, it did not finish in minutes). */
const pieces = 2;

export const sigma: Builders = {
  sigma: (inputs, params) => {
    const count = numberOf(params, "batch") / pieces;
    const batches = Array.from({ length: pieces }, (_, i) =>
      pieceOf(inputs, i * count, count, numberOf(params, "kept")),
    );
    let parameters: Named = Object.fromEntries(
      Object.keys(inputs)
        .filter((name) => !["ids", "lengths", "targets"].includes(name))
        .map((name) => [name, upload(inputs[name])]),
    );
    const { update, makeState } = adamW(params);
    let state = makeState(parameters);
    const gradient = jit((p: Named, b: Named) => valueAndGrad(lossOf(params))(p, b) as [JaxArray, Named]);
    const plus = jit(
      (a: Named, b: Named): Named => Object.fromEntries(Object.keys(a).map((name) => [name, a[name].add(b[name])])),
    );
    const move = jit((p: Named, g: Named, s: Named): [Named, Named] => {
      const mean = Object.fromEntries(Object.entries(g).map(([name, value]) => [name, value.mul(1 / pieces)]));
      return update(p, mean, s);
    });
    const job = recordLosses(async () => {
      let total: Named | undefined;
      let loss = 0;
      for (const batch of batches) {
        const [value, gradients] = gradient(tree.ref(parameters), tree.ref(batch));
        total = total === undefined ? gradients : plus(total, gradients);
        loss += (await value.data())[0] / pieces;
      }
      if (total === undefined) throw new Error("no pieces");
      [parameters, state] = move(parameters, total, state);
      await blockUntilReady([parameters, state]);
      return loss;
    });
    return { ...job, async: true };
  },
};
