// Mixers one item at a time: what each has to remember for its next output to be that of the whole history.

import { concat, conv1d, ones, selectiveScan, type Tensor, tensor, zeros } from "../../../engine/index.ts";
import type { Mamba } from "../../../nn/index.ts";
import type { FeatureGRU } from "./feature-gru.ts";
import type { GMamba } from "./gmamba.ts";

/** What a mixer remembers of one user, by name. */
export type MixerState = Readonly<Record<string, Tensor>>;

/** A mixer's steps, for vectors [1, 1, size]. */
export interface MixerStream {
  readonly start: MixerState;
  /** From which item on the shapes of the state stay the same. */
  readonly warm: number;
  step(x: Tensor, state: MixerState): { readonly mixed: Tensor; readonly state: MixerState };
}

/** Mamba: the last inputs of its convolution and its state space. */
export function mambaStream(mamba: Mamba): MixerStream {
  return {
    start: { ...mamba.start(1, mamba.aLog.dtype) },
    warm: 0,
    step(x, { conv, ssm }) {
      const { y, state } = mamba.advance(x, { conv, ssm });
      return { mixed: y, state: { ...state } };
    },
  };
}

/**
 * G-Mamba, flipped by true lengths. The forward direction is Mamba's step. FE-GRU keeps its state before the last item,
 * whose convolution must still see the next one. A new item enters the flipped direction before all others of the
 * flipped part; what a step of a linear state space does is h -> P h + Q, and steps compose, so the flipped part is kept
 * as one such pair (P, Q) per channel and state, to which an item is prepended once all taps of its convolution are
 * known. From there the last r items are read again.
 *
 * A step costs about taps + r + 2 of Mamba's and two of the GRU's, whatever the length of the history: equal to the
 * forward pass but for rounding, which is of another order.
 */
export function gmambaStream(mixer: GMamba): MixerStream {
  const { pfMamba, features } = mixer;
  const { mamba } = pfMamba;
  const backward = pfMamba.flippedMamba ?? mamba;
  const { dtype } = mamba.aLog;
  const size = mamba.outProj.weight.shape[0];
  const flips = pfMamba.flipMode !== "off";
  // The kept items, one whose convolution gets its last tap, those before it in flipped order, and one more.
  const flippedRows = pfMamba.kept + mamba.taps + 1;
  const rows = Math.max(flippedRows, 3);
  const state = [1, mamba.inner, mamba.states];
  return {
    start: {
      ...mamba.start(1, dtype),
      // Of the other Mamba, where it has its own and nothing is flipped.
      ownConv: backward.start(1, dtype).conv,
      ownSsm: backward.start(1, dtype).ssm,
      recent: zeros([1, 0, size], { dtype }),
      first: zeros([1, 0, size], { dtype }),
      P: ones(state, { dtype }),
      Q: zeros(state, { dtype }),
      gru: zeros([1, 1, size], { dtype }),
    },
    warm: rows,
    step(x, { conv, ssm, ownConv, ownSsm, P, Q, ...before }) {
      const recent = last(concat([before.recent, x], 1), rows);
      const count = before.first.shape[1];
      const first = count < mamba.taps ? concat([before.first, x], 1) : before.first;
      const forwards = mamba.advance(x, { conv, ssm });
      const own = flips || backward === mamba ? undefined : backward.advance(x, { conv: ownConv, ssm: ownSsm });
      const back = flips
        ? flippedStep(backward, pfMamba.kept, last(recent, flippedRows), first, { P, Q })
        : { y: own?.y ?? forwards.y, P, Q, read: last(recent, 2) };
      const near = last(recent, 2);
      const gate = mixer.gate?.forward(
        { forwards: { x: near, real: undefined }, flipped: { x: back.read, real: undefined } },
        { lengths: tensor([near.shape[1]], { dtype: "i32" }) },
      );
      const local = features === undefined ? undefined : featureStep(features, last(recent, 3), before.gru);
      const gated = (m: Tensor, factor: Tensor | undefined): Tensor =>
        factor === undefined ? m : factor.mul(m).add(m);
      const mixed = mixer.combine({
        forwards: gated(forwards.y, gate?.forwards),
        flipped: gated(back.y, gate?.flipped),
        features: local?.y,
      });
      const next = {
        ...forwards.state,
        ...(own === undefined ? { ownConv, ownSsm } : { ownConv: own.state.conv, ownSsm: own.state.ssm }),
        ...{ recent, first, P: back.P, Q: back.Q, gru: local?.gru ?? before.gru },
      };
      return { mixed, state: next };
    },
  };
}

/** The last `count` rows of x [1, T, size], or all there are. */
const last = (x: Tensor, count: number): Tensor => {
  const kept = Math.min(count, x.shape[1]);
  return x.narrow(1, x.shape[1] - kept, kept);
};

/** FE-GRU at the newest of up to 3 rows, from the GRU's state before the row in front of it. */
function featureStep(features: FeatureGRU, rows: Tensor, before: Tensor): { readonly y: Tensor; readonly gru: Tensor } {
  const { conv, gru } = features;
  const mixed = conv1d(rows.transpose(1, 2), conv.weight, { bias: conv.bias, padding: 1 }).transpose(1, 2);
  const newest = last(mixed, 1);
  if (gru === undefined) return { y: newest, gru: before };
  // The row in front has just got its right neighbour.
  const [settled] = rows.shape[1] === 1 ? [before] : gru.forward(mixed.narrow(1, rows.shape[1] - 2, 1), [before]).state;
  return { y: gru.forward(newest, [settled]).output, gru: settled };
}

/** What a flipped direction gives at the newest item: its output, the composed steps, and the last two vectors it read. */
interface FlippedStep extends Composed {
  readonly y: Tensor;
  readonly read: Tensor;
}

/** Steps of a state space, composed: h -> P h + Q. */
interface Composed {
  readonly P: Tensor;
  readonly Q: Tensor;
}

/** @param recent the last r + taps + 1 items, or all there are; @param first the first `taps`, or all there are */
function flippedStep(mamba: Mamba, kept: number, recent: Tensor, first: Tensor, composed: Composed): FlippedStep {
  const tail = Math.min(kept, recent.shape[1]);
  const early = recent.shape[1] - tail;
  if (early === 0) return { ...composed, y: last(mamba.forward(recent), 1), read: last(recent, 2) };
  // Flipped, the early part ends with the first item of all, which is read again with the tail. Its start, newest item
  // first: those whose convolution still misses taps, then (in long histories) one that has just got its last.
  const start = openingOf(mamba, recent.narrow(1, 1, early - 1).flip(1), composed);
  // The inputs that the convolution still sees when it comes to the first item.
  const before = first.narrow(1, 1, Math.min(early, mamba.taps) - 1).flip(1);
  const ending = concat([first.narrow(1, 0, 1), recent.narrow(1, early, tail)], 1);
  const { y } = mamba.advance(ending, { conv: inputsAfter(mamba, before), ssm: start.ssm });
  return { y: last(y, 1), P: start.P, Q: start.Q, read: last(concat([before, ending], 1), 2) };
}

/** The state space after all of the flipped part but the first item, of whose start `head` is given. */
function openingOf(mamba: Mamba, head: Tensor, { P, Q }: Composed): Composed & { readonly ssm: Tensor } {
  const begin = mamba.start(1, head.dtype);
  const rows = head.shape[1];
  if (rows === 0) return { P, Q, ssm: begin.ssm };
  const drive = mamba.prepare(head, begin.conv);
  const A = mamba.A();
  /** The state from zero after some of the rows. */
  const stateOf = (from: number, count: number): Tensor => {
    const [u, delta, B, C] = [drive.u, drive.delta, drive.B, drive.C].map((x) => x.narrow(1, from, count));
    return selectiveScan(u, delta, A, B, C, { discretisation: mamba.discretisation }).state;
  };
  const open = Math.min(rows, mamba.taps - 1);
  const opened = stateOf(0, open);
  if (rows < mamba.taps) return { P, Q, ssm: P.mul(opened).add(Q) };
  // The item with all its taps goes in front of those composed before.
  const decay = drive.delta.select(1, open).unsqueeze(-1).mul(A).exp();
  const next = { P: P.mul(decay), Q: P.mul(stateOf(open, 1)).add(Q) };
  return { ...next, ssm: next.P.mul(opened).add(next.Q) };
}

/** The convolution's inputs after the given rows. */
const inputsAfter = (mamba: Mamba, rows: Tensor): Tensor => {
  const { conv } = mamba.start(1, rows.dtype);
  return rows.shape[1] === 0 ? conv : mamba.prepare(rows, conv).conv;
};
