// The Mamba block (Gu & Dao 2023, section 3.4): a gated, causally convolved selective state space.

import {
  concat,
  type DType,
  formatShape,
  type SelectiveScanOptions,
  ShapeError,
  selectiveScan,
  type Tensor,
  zeros,
} from "../engine/index.ts";
import { checkSizes } from "./checks.ts";
import { Conv1d } from "./conv.ts";
import { type Initializer, ones, uniform } from "./init.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";

export interface MambaOptions {
  /** States per channel, n; default 16. */
  readonly states?: number;
  /** Taps of the convolution; default 4. */
  readonly taps?: number;
  /** Inner channels per feature; default 2. */
  readonly expand?: number;
  /** Rank of the step sizes; default size / 16, rounded up. */
  readonly rank?: number;
  /** How B is made discrete: see `selectiveScan`. Default "euler". */
  readonly discretisation?: SelectiveScanOptions["discretisation"];
  readonly dtype?: DType;
}

/** What a block remembers of the sequence so far. */
export interface MambaState {
  /** The last inputs of the convolution, [N, inner, taps - 1]. */
  readonly conv: Tensor;
  /** The state space, [N, inner, states]. */
  readonly ssm: Tensor;
}

/** What drives the state space of a block: see `prepare`. */
export interface MambaDrive {
  readonly u: Tensor;
  readonly delta: Tensor;
  readonly B: Tensor;
  readonly C: Tensor;
  readonly z: Tensor;
  readonly conv: Tensor;
}

/** log(1), log(2), ..., log(n) in each row: A = -(1, ..., n) at the start (S4D-real). */
function logRange(states: number): Initializer {
  // A tensor is drawn row by row, whole rows only, so that the count starts with each row anew.
  let drawn = 0;
  return () => Math.log((drawn++ % states) + 1);
}

/** The inverse softplus of step sizes spread evenly, by logarithm, over [0.001, 0.1]. */
const stepBias: Initializer = (stream) => {
  const step = 10 ** stream.uniform(-3, -1);
  return step + Math.log(-Math.expm1(-step));
};

/** x [N, T, size] -> [N, T, size]. Parameters are named and laid out as in the published code. */
export class Mamba extends Module<[x: Tensor]> {
  readonly inProj: Linear;
  readonly conv1d: Conv1d;
  readonly xProj: Linear;
  readonly dtProj: Linear;
  readonly aLog: Tensor;
  readonly d: Tensor;
  readonly outProj: Linear;
  readonly inner: number;
  readonly states: number;
  readonly taps: number;
  readonly rank: number;
  readonly discretisation: SelectiveScanOptions["discretisation"];

  constructor(size: number, options: MambaOptions = {}) {
    super();
    const { states = 16, taps = 4, expand = 2, rank = Math.ceil(size / 16), dtype } = options;
    const inner = expand * size;
    checkSizes("Mamba", { size, states, taps, inner, rank });
    this.inProj = new Linear(size, 2 * inner, { bias: false, dtype });
    this.conv1d = new Conv1d(inner, inner, taps, { groups: inner, dtype });
    this.xProj = new Linear(inner, rank + 2 * states, { bias: false, dtype });
    const bound = 1 / Math.sqrt(rank);
    this.dtProj = new Linear(rank, inner, { weightInit: uniform(-bound, bound), biasInit: stepBias, dtype });
    this.aLog = parameter([inner, states], logRange(states), { dtype });
    this.d = parameter([inner], ones, { dtype });
    this.outProj = new Linear(inner, size, { bias: false, dtype });
    this.inner = inner;
    this.states = states;
    this.taps = taps;
    this.rank = rank;
    this.discretisation = options.discretisation;
  }

  override forward(x: Tensor): Tensor {
    return this.advance(x).y;
  }

  /** The state before a sequence of so many samples. */
  start(samples: number, dtype: DType = "f32"): MambaState {
    return {
      conv: zeros([samples, this.inner, this.taps - 1], { dtype }),
      ssm: zeros([samples, this.inner, this.states], { dtype }),
    };
  }

  /**
   * What drives the state space for x [N, T, size] after the inputs `conv` of the convolution: u, delta and z
   * [N, T, inner], B and C [N, T, states], and the convolution's inputs to go on from. @throws ShapeError
   */
  prepare(x: Tensor, conv: Tensor): MambaDrive {
    if (x.rank !== 3) throw new ShapeError("Mamba", `takes [N, T, size], got ${formatShape(x.shape)}`);
    const [mixed, z] = this.inProj.forward(x).split(this.inner, -1);
    // The inputs before this piece take the place of the padding.
    const seen = concat([conv, mixed.transpose(1, 2)], -1);
    const u = this.conv1d.forward(seen).transpose(1, 2).silu();
    const [steps, B, C] = this.xProj.forward(u).split([this.rank, this.states, this.states], -1);
    const kept = this.taps - 1;
    const delta = this.dtProj.forward(steps).softplus();
    return { u, delta, B, C, z, conv: seen.narrow(2, seen.shape[2] - kept, kept) };
  }

  /** The next piece of a sequence, of any length (1: step mode), and the state after it. @throws ShapeError */
  advance(
    x: Tensor,
    state: MambaState = this.start(x.shape[0], x.dtype),
  ): { readonly y: Tensor; readonly state: MambaState } {
    const { u, delta, B, C, z, conv } = this.prepare(x, state.conv);
    const { y, state: ssm } = selectiveScan(u, delta, this.A(), B, C, {
      D: this.d,
      z,
      h0: state.ssm,
      discretisation: this.discretisation,
    });
    return { y: this.outProj.forward(y), state: { conv, ssm } };
  }

  /** The rates of the states, [inner, states], all negative: A = -exp(aLog). */
  A(): Tensor {
    return this.aLog.exp().neg();
  }
}
