// Bounds of a selective scan: h = exp(delta A) h + delta u B, y = sum over states of C h.

import type { Node } from "../../engine/graph/node.ts";
import { sizeOf } from "../../engine/index.ts";
import { selectiveResults, selectiveSizes } from "../../engine/primitives/index.ts";
import { type Bounded, gamma, unitOf } from "./arithmetic.ts";
import { functionUlps } from "./elementwise.ts";
import { joined } from "./scan.ts";

const empty = (size: number, bound = 0): Bounded => ({
  values: new Float64Array(size),
  bounds: new Float64Array(size).fill(bound),
});

/** y, the last state, and the states at borders, whose order nobody else knows: they have no bound. */
export function boundSelectiveScan(scan: Node<"selectiveScan">, inputs: readonly Bounded[]): Bounded {
  const sizes = selectiveSizes(scan.inputs);
  const { batch, length, channels, states } = sizes;
  const [u, delta, a, b, c, h0] = inputs;
  const [y, last, borders] = selectiveResults(sizes).map((shape) => empty(sizeOf(shape)));
  borders.bounds.fill(Number.POSITIVE_INFINITY);
  const unit = unitOf(scan.dtype);
  last.values.set(h0.values);
  last.bounds.set(h0.bounds);
  for (let t = 0; t < length; t++) {
    for (let i = 0; i < batch; i++) {
      for (let d = 0; d < channels; d++) {
        const at = (i * length + t) * channels + d;
        let size = 0;
        for (let n = 0; n < states; n++) {
          const [rate, shared, state] = [
            d * states + n,
            (i * length + t) * states + n,
            (i * channels + d) * states + n,
          ];
          const [h, eh] = [last.values[state], last.bounds[state]];
          const p = delta.values[at] * a.values[rate];
          const ep = productBound(delta, at, a, rate) + unit * Math.abs(p);
          const decay = Math.exp(p);
          const eDecay = decay * Math.expm1(ep) + 2 * functionUlps.f32.exp * unit * decay * Math.exp(ep);
          const drive = delta.values[at] * u.values[at] * b.values[shared];
          const size3 = (Math.abs(delta.values[at]) + delta.bounds[at]) * (Math.abs(u.values[at]) + u.bounds[at]);
          const most = size3 * (Math.abs(b.values[shared]) + b.bounds[shared]);
          const eDrive = most - Math.abs(drive) + gamma(scan.dtype, 2) * most;
          const next = decay * h + drive;
          const kept = (decay + eDecay) * (Math.abs(h) + eh);
          last.values[state] = next;
          last.bounds[state] = kept - decay * Math.abs(h) + eDrive + gamma(scan.dtype, 2) * (kept + most);
          y.values[at] += c.values[shared] * next;
          const read = (Math.abs(c.values[shared]) + c.bounds[shared]) * (Math.abs(next) + last.bounds[state]);
          y.bounds[at] += read - Math.abs(c.values[shared] * next);
          size += read;
        }
        y.bounds[at] += gamma(scan.dtype, states + 1) * size;
      }
    }
  }
  return joined([y, last, borders]);
}

const productBound = (x: Bounded, i: number, y: Bounded, j: number): number =>
  (Math.abs(x.values[i]) + x.bounds[i]) * y.bounds[j] + Math.abs(y.values[j]) * x.bounds[i];
