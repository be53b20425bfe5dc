// The dense selective gate: what each direction of PF-Mamba is multiplied with, by position and channel, in four forms.

import { conv1d, type DType, type Tensor } from "../../../engine/index.ts";
import { Conv1d, Dropout, Linear, Module, parameter } from "../../../nn/index.ts";
import { type Focus, focused, masked, type Sequences, surroundings } from "./extent.ts";

/** The inputs of both directions: forwards, and partially flipped. */
export type Directions<T> = { readonly forwards: T; readonly flipped: T };

/** The factors Dg of both directions: Z = Dg * M + M, for M the output of the direction's Mamba. */
export type SelectiveGate = Module<[inputs: Directions<Sequences>, focus: Focus], Directions<Tensor>>;

export interface GateOptions {
  /** Default 0.2. */
  readonly dropout?: number;
  /** Whether SiLU and sigmoid share one projection; default true. Of the paper's gate. */
  readonly deltaTied?: boolean;
  readonly dtype?: DType;
}

/**
 * The paper's gate, for direction q with input X^q: G^q = Conv(X^q W0^q + b0^q) (3 taps, centred, shared), delta^q = G^q
 * W1 + b1 (shared), Dg^q = SiLU(delta^q) + sigmoid(delta^q). In (-0.121, inf): a channel is never closed.
 */
export class DenseSelectiveGate extends Module<[Directions<Sequences>, Focus], Directions<Tensor>> {
  readonly inForwards: Linear;
  readonly inFlipped: Linear;
  readonly conv: Conv1d;
  readonly delta: Linear;
  /** The projection of the sigmoid branch where it is not that of the SiLU branch. */
  readonly deltaSigmoid: Linear | undefined;
  readonly dropout: Dropout;

  constructor(size: number, { dropout = 0.2, deltaTied = true, dtype }: GateOptions = {}) {
    super();
    const linear = (): Linear => new Linear(size, size, { dtype });
    this.inForwards = linear();
    this.inFlipped = linear();
    this.conv = new Conv1d(size, size, 3, { dtype });
    this.delta = linear();
    this.deltaSigmoid = deltaTied ? undefined : linear();
    this.dropout = new Dropout(dropout);
  }

  override forward({ forwards, flipped }: Directions<Sequences>, focus: Focus): Directions<Tensor> {
    return {
      forwards: this.factor(this.inForwards, forwards, focus),
      flipped: this.factor(this.inFlipped, flipped, focus),
    };
  }

  private factor(linear: Linear, sequences: Sequences, focus: Focus): Tensor {
    const { x, real, padding } = surroundings(sequences, focus);
    // The bias must not reach padding, or its neighbour would know that there is padding.
    const mapped = masked(linear.forward(x), real).transpose(1, 2);
    const mixed = conv1d(mapped, this.conv.weight, { bias: this.conv.bias, padding }).transpose(1, 2);
    const delta = this.delta.forward(mixed);
    const gate = (this.deltaSigmoid?.forward(mixed) ?? delta).sigmoid().add(delta.silu());
    return this.dropout.forward(gate);
  }
}

/**
 * The gate of the released code: no convolution, activations before the projections, and the sigmoid branch of the
 * flipped direction reads the forward direction's gate.
 */
export class ReleasedGate extends Module<[Directions<Sequences>, Focus], Directions<Tensor>> {
  readonly dense1: Linear;
  readonly dense2: Linear;
  readonly silu: Linear;
  readonly sigmoid: Linear;
  readonly dropout: Dropout;

  constructor(size: number, { dropout = 0.2, dtype }: GateOptions = {}) {
    super();
    const linear = (): Linear => new Linear(size, size, { dtype });
    this.dense1 = linear();
    this.dense2 = linear();
    this.silu = linear();
    this.sigmoid = linear();
    this.dropout = new Dropout(dropout);
  }

  override forward(inputs: Directions<Sequences>, focus: Focus): Directions<Tensor> {
    const forwards = focused(inputs.forwards.x, focus);
    const flipped = focused(inputs.flipped.x, focus);
    const first = forwards.add(this.dense1.forward(forwards));
    const second = flipped.add(this.dense2.forward(flipped));
    const gate = (a: Tensor, b: Tensor): Tensor =>
      this.dropout.forward(this.silu.forward(a.silu()).add(this.sigmoid.forward(b.sigmoid())));
    const g1 = gate(first, first);
    return { forwards: g1, flipped: gate(second, g1) };
  }
}

/** One trained number a direction, 1/2 at first as a dense gate of zeros: what a gate does that selects nothing. */
export class ScalarGate extends Module<[Directions<Sequences>, Focus], Directions<Tensor>> {
  readonly weight: Tensor;

  constructor({ dtype }: GateOptions = {}) {
    super();
    this.weight = parameter([2], () => 0.5, { dtype });
  }

  override forward(): Directions<Tensor> {
    return { forwards: this.weight.narrow(0, 0, 1), flipped: this.weight.narrow(0, 1, 1) };
  }
}

/** The gates by name; "off": Z = M. */
export const gates = {
  paper: (size, options) => new DenseSelectiveGate(size, options),
  release: (size, options) => new ReleasedGate(size, options),
  scalar: (_size, options) => new ScalarGate(options),
  off: () => undefined,
} satisfies Record<string, (size: number, options: GateOptions) => SelectiveGate | undefined>;

export type GateName = keyof typeof gates;
