// The selective scan and Mamba in closed form: equal ways to compute it, limits of Delta and A, causality to the bit.

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import {
  associativeScan,
  concat,
  full,
  selectiveScan,
  setBackend,
  type Tensor,
  tensor,
} from "../../../engine/index.ts";
import { Mamba } from "../../../nn/index.ts";
import { Mamba4Rec } from "../../../papers/sigma/model/index.ts";
import { close, f64, normals, values } from "../../nn/tools.ts";

beforeAll(() => setBackend("wasm"));

const dtype = "f64";
const sizes = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  steps: fc.integer({ min: 1, max: 9 }),
  channels: fc.integer({ min: 1, max: 3 }),
  states: fc.integer({ min: 1, max: 3 }),
  seed: fc.nat(1000),
});

/** h_t = exp(Delta A) h + Delta B u and y = C h, as loops. */
function loops(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor): number[] {
  const [[batch, steps, channels], states] = [u.shape, A.shape[1]];
  const [us, ds, as, bs, cs] = [u, delta, A, B, C].map(values);
  const y = new Array<number>(batch * steps * channels).fill(0);
  for (let b = 0; b < batch; b++)
    for (let c = 0; c < channels; c++)
      for (let n = 0, h = 0; n < states; n++, h = 0)
        for (let t = 0; t < steps; t++) {
          const [at, in_] = [(b * steps + t) * channels + c, (b * steps + t) * states + n];
          h = Math.exp(ds[at] * as[c * states + n]) * h + ds[at] * bs[in_] * us[at];
          y[at] += cs[in_] * h;
        }
  return y;
}

test("loops, the scan, pieces of it, a tree of pairs, and single steps are one function", () => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 4 }), ({ batch, steps, channels, states, seed }, piece) => {
      const u = normals([batch, steps, channels], seed);
      const delta = normals([batch, steps, channels], seed + 1).softplus();
      const A = normals([channels, states], seed + 2)
        .exp()
        .neg();
      const [B, C] = [3, 4].map((i) => normals([batch, steps, states], seed + i));
      const expected = loops(u, delta, A, B, C);
      close(selectiveScan(u, delta, A, B, C).y, expected, 1e-10);

      const parts: Tensor[] = [];
      let h0: Tensor | undefined;
      for (let at = 0; at < steps; at += piece) {
        const cut = (x: Tensor): Tensor => x.narrow(1, at, Math.min(piece, steps - at));
        const { y, state } = selectiveScan(cut(u), cut(delta), A, cut(B), cut(C), { h0 });
        parts.push(y);
        h0 = state;
      }
      close(concat(parts, 1), expected, 1e-10);

      // (a1, b1) o (a2, b2) = (a1 a2, a2 b1 + b2), for each channel and state.
      const a = delta.unsqueeze(-1).mul(A).exp();
      const b = delta.mul(u).unsqueeze(-1).mul(B.unsqueeze(2));
      const tree = associativeScan(
        ([a1, b1]: readonly [Tensor, Tensor], [a2, b2]: readonly [Tensor, Tensor]) =>
          [a1.mul(a2), a2.mul(b1).add(b2)] as const,
        [a, b] as const,
        { axis: 1 },
      );
      close(tree[1].mul(C.unsqueeze(2)).sum(-1), expected, 1e-10);
    }),
    { numRuns: 25 },
  );
});

test("constant inputs give a geometric sum", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 2, noNaN: true }),
      fc.double({ min: -3, max: -0.05, noNaN: true }),
      fc.double({ min: -2, max: 2, noNaN: true }),
      (delta, rate, u) => {
        const ones = full([1, 12, 1], 1, { dtype });
        const { y } = selectiveScan(ones.mul(u), ones.mul(delta), f64([[rate]]), ones, ones);
        const a = Math.exp(delta * rate);
        close(
          y,
          Array.from({ length: 12 }, (_, t) => (delta * u * (1 - a ** (t + 1))) / (1 - a)),
          1e-9,
        );
      },
    ),
    { numRuns: 30 },
  );
});

test("Delta near 0 keeps the state and ignores the input; a large Delta forgets; A near 0 integrates", () => {
  fc.assert(
    fc.property(sizes, ({ batch, steps, channels, states, seed }) => {
      const u = normals([batch, steps, channels], seed);
      const A = normals([channels, states], seed + 1)
        .exp()
        .neg();
      const [B, C] = [2, 3].map((i) => normals([batch, steps, states], seed + i));
      const D = normals([channels], seed + 4);
      const h0 = normals([batch, channels, states], seed + 5);
      const like = (value: number): Tensor => full(u.shape, value, { dtype });

      const idle = selectiveScan(u, like(1e-14), A, B, C, { D, h0 });
      close(idle.state, values(h0), 1e-10);
      close(selectiveScan(u, like(1e-14), A, B, C, { D }).y, values(u.mul(D)), 1e-10);

      // The last step alone: what came before is gone. A is scaled, so that even its smallest rate forgets.
      const fast = A.sub(1);
      const forgets = selectiveScan(u, like(60), fast, B, C, { h0 });
      const last = (x: Tensor): Tensor => x.narrow(1, steps - 1, 1);
      const alone = selectiveScan(last(u), last(like(60)), fast, last(B), last(C));
      close(last(forgets.y), values(alone.y), 1e-8);

      const delta = normals(u.shape, seed + 6).softplus();
      const integrated = selectiveScan(u, delta, A.mul(1e-14), B, C);
      const sums = delta.mul(u).unsqueeze(-1).mul(B.unsqueeze(2)).sum(1);
      close(integrated.state, values(sums), 1e-9);
    }),
    { numRuns: 20 },
  );
});

test("Mamba is causal to the bit", () => {
  const block = new Mamba(4, { states: 3 }).initialize(1);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 11 }), fc.nat(1000), (changed, seed) => {
      const x = tensor(Float32Array.from(values(normals([2, 12, 4], seed))), { shape: [2, 12, 4] });
      const other = tensor(Float32Array.from(values(normals([2, 12 - changed, 4], seed + 1))), {
        shape: [2, 12 - changed, 4],
      });
      const y = block.forward(x);
      const z = block.forward(concat([x.narrow(1, 0, changed), other], 1));
      expect(values(z.narrow(1, 0, changed))).toEqual(values(y.narrow(1, 0, changed)));
      expect(values(z.narrow(1, changed, 1))).not.toEqual(values(y.narrow(1, changed, 1)));
    }),
    { numRuns: 12 },
  );
});

test("drawn as in the release, Mamba starts with Delta = ln 2 and halves state n every 1 / n steps", () => {
  const model = new Mamba4Rec({ items: 3, size: 8, states: 4, dtype, init: "recbole" }).initialize(1);
  const parameters = new Map(model.namedParameters());
  const [weight, bias, aLog] = ["dtProj.weight", "dtProj.bias", "aLog"].map((name) => {
    const found = parameters.get(`layers.0.mixer.mamba.${name}`);
    if (found === undefined) throw new Error(`no ${name}`);
    return found;
  });
  // A zero projection: Delta is the softplus of the bias.
  const delta = weight.mul(0).sum(-1).add(bias).softplus();
  close(delta, new Array<number>(16).fill(Math.LN2), 1e-14);
  close(
    delta.unsqueeze(-1).mul(aLog.exp().neg()).exp(),
    Array.from({ length: 64 }, (_, i) => 2 ** -((i % 4) + 1)),
    1e-14,
  );
});
