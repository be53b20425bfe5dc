// The selective scan and its gradient by definition, all states in memory.

import { chunkOf, groupChannels, type SelectiveSizes } from "../../primitives/index.ts";

type Values = Float64Array;

/** y, the last state, and zeros for the border states, which this backend has no use for. */
export function selectiveScan(sizes: SelectiveSizes, inputs: readonly Values[]): Values {
  const { batch, length, channels, states } = sizes;
  const h = allStates(sizes, inputs);
  const [, , , , c] = inputs;
  const y = new Float64Array(batch * length * channels);
  const last = new Float64Array(batch * channels * states);
  forEachStep(sizes, (b, t, d) => {
    for (let n = 0; n < states; n++) {
      const now = h[(((t + 1) * batch + b) * channels + d) * states + n];
      y[(b * length + t) * channels + d] += c[(b * length + t) * states + n] * now;
    }
  });
  last.set(h.subarray(length * batch * channels * states));
  const borders = Math.ceil(length / chunkOf(states)) * batch * Math.ceil(channels / 4) * 4 * states;
  return joined([y, last, new Float64Array(borders)]);
}

/** Gradients of u, delta, A per batch, B and C per group of channels, h0; the other way through time. */
export function selectiveScanGrad(sizes: SelectiveSizes, inputs: readonly Values[]): Values {
  const { batch, length, channels, states } = sizes;
  const [u, delta, a, b, c, , , gy, gLast] = inputs;
  const h = allStates(sizes, inputs);
  const groups = Math.ceil(channels / groupChannels);
  const [du, dDelta] = [new Float64Array(u.length), new Float64Array(u.length)];
  const dA = new Float64Array(batch * channels * states);
  const [dB, dC] = [new Float64Array(groups * b.length), new Float64Array(groups * b.length)];
  const flow = Float64Array.from(gLast);
  forEachStep(
    sizes,
    (i, t, d) => {
      const at = (i * length + t) * channels + d;
      const group = Math.floor(d / groupChannels) * b.length;
      for (let n = 0; n < states; n++) {
        const state = (i * channels + d) * states + n;
        const shared = (i * length + t) * states + n;
        const before = h[t * batch * channels * states + state];
        const now = h[(t + 1) * batch * channels * states + state];
        const decay = Math.exp(delta[at] * a[d * states + n]);
        const g = flow[state] + gy[at] * c[shared];
        dC[group + shared] += gy[at] * now;
        dB[group + shared] += g * delta[at] * u[at];
        dA[state] += g * before * decay * delta[at];
        dDelta[at] += g * (before * decay * a[d * states + n] + b[shared] * u[at]);
        du[at] += g * delta[at] * b[shared];
        flow[state] = g * decay;
      }
    },
    true,
  );
  return joined([du, dDelta, dA, dB, dC, flow]);
}

/** States before the first step and after each: [length + 1, batch, channels, states]. */
function allStates(sizes: SelectiveSizes, [u, delta, a, b, , h0]: readonly Values[]): Values {
  const { batch, length, channels, states } = sizes;
  const step = batch * channels * states;
  const h = new Float64Array((length + 1) * step);
  h.set(h0);
  forEachStep(sizes, (i, t, d) => {
    const at = (i * length + t) * channels + d;
    for (let n = 0; n < states; n++) {
      const from = t * step + (i * channels + d) * states + n;
      const decay = Math.exp(delta[at] * a[d * states + n]);
      h[from + step] = decay * h[from] + delta[at] * u[at] * b[(i * length + t) * states + n];
    }
  });
  return h;
}

function forEachStep(
  { batch, length, channels }: SelectiveSizes,
  visit: (b: number, t: number, d: number) => void,
  reverse = false,
): void {
  for (let step = 0; step < length; step++) {
    const t = reverse ? length - 1 - step : step;
    for (let b = 0; b < batch; b++) for (let d = 0; d < channels; d++) visit(b, t, d);
  }
}

function joined(parts: readonly Values[]): Values {
  const result = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let start = 0;
  for (const part of parts) {
    result.set(part, start);
    start += part.length;
  }
  return result;
}
