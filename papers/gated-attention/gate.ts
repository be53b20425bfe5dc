// The gate of Gated Attention (Qiu et al. 2025, arXiv 2505.06708, Eq. 5): where it sits, how fine it is, and its form, as data.

import { ArgumentError, type DType, type Shape, type Tensor } from "../../engine/index.ts";
import { init, Linear, Module, parameter } from "../../nn/index.ts";

/** Figure 1's positions: G1 SDPA output, G2 values, G3 keys, G4 queries, G5 after the output projection. */
export type GatePosition = "G1" | "G2" | "G3" | "G4" | "G5";
export type GateActivation = "sigmoid" | "silu" | "ns-sigmoid" | "identity";
export type GateForm = "mul" | "add";

/** One point of the paper's grid (Eq. 5; Table 1). */
export interface GateSpec {
  readonly position: GatePosition;
  /** One score per channel, or one per head (and none at G5, where there are no heads). Default elementwise. */
  readonly granularity?: "elementwise" | "headwise";
  /** Scores of its own for every head (the default), or their mean over the heads for all of them. */
  readonly sharing?: "specific" | "shared";
  /** Y * score (the default) or Y + score. */
  readonly form?: GateForm;
  /** Default sigmoid. */
  readonly activation?: GateActivation;
  /** Trained scores that look at nothing, instead of a projection of the layer's input; default false. */
  readonly inputIndependent?: boolean;
  /** Shared scores: average before the activation instead of after it; default false. */
  readonly shareBefore?: boolean;
}

/** What W_theta looks at and how it starts: run settings, beside the grid. */
export interface GateSettings {
  /** Adds a trained bias that starts here (positive: the gate starts open); default: no bias. */
  readonly gateBias?: number;
  /** Only the first so many channels of the input are looked at; default all. */
  readonly gateInputDims?: number;
}

/** Sizes of the attention that a gate sits in. */
export interface HeadSizes {
  readonly dModel: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
}

/** What scores become; "ns-sigmoid" is the non-sparse one of Eq. 9, in (0.5, 1). */
export const activations: Readonly<Record<GateActivation, (logits: Tensor) => Tensor>> = {
  sigmoid: (logits) => logits.sigmoid(),
  silu: (logits) => logits.silu(),
  "ns-sigmoid": (logits) => logits.sigmoid().mul(0.5).add(0.5),
  identity: (logits) => logits,
};

const forms: Readonly<Record<GateForm, (y: Tensor, scores: Tensor) => Tensor>> = {
  mul: (y, scores) => y.mul(scores),
  add: (y, scores) => y.add(scores),
};

/** How many heads, of how many channels, there are at a position. After W_O there are none: one "head" of dModel channels. */
export function headsAt(position: GatePosition, { dModel, nHeads, nKvHeads, headDim }: HeadSizes) {
  const sites: Record<GatePosition, { readonly heads: number; readonly channels: number }> = {
    G1: { heads: nHeads, channels: headDim },
    G2: { heads: nKvHeads, channels: headDim },
    G3: { heads: nKvHeads, channels: headDim },
    G4: { heads: nHeads, channels: headDim },
    G5: { heads: 1, channels: dModel },
  };
  return sites[position];
}

/** Heads and scores per head of a gate: W_theta has their product as outputs, whether shared or not. */
function scoresOf(spec: GateSpec, sizes: HeadSizes): { readonly heads: number; readonly width: number } {
  const { heads, channels } = headsAt(spec.position, sizes);
  return { heads, width: spec.granularity === "headwise" ? 1 : channels };
}

/** Scores of one position, [B, n, heads, channels or 1] (heads 1 when shared), from the layer's pre-normed input. */
export class AttentionGate extends Module {
  readonly spec: GateSpec;
  /** Columns of W_theta in use. */
  readonly inputDims: number;
  readonly heads: number;
  readonly width: number;
  /** W_theta: [heads * width, inputDims]. */
  readonly proj: Linear | undefined;
  /** [heads, width], zero at first: the scores' logits where the gate looks at nothing. */
  readonly logits: Tensor | undefined;

  /** @throws ArgumentError for a headwise or shared gate at G5, an input-independent one with a bias, too many inputs */
  constructor(
    spec: GateSpec,
    sizes: HeadSizes,
    { gateBias, gateInputDims = sizes.dModel, initStd = 0.02, dtype }: GateSettings & GateInit = {},
  ) {
    super();
    check(spec, sizes, { gateBias, gateInputDims });
    const { heads, width } = scoresOf(spec, sizes);
    this.spec = spec;
    this.inputDims = gateInputDims;
    this.heads = heads;
    this.width = width;
    const projection = {
      bias: gateBias !== undefined,
      weightInit: init.normal(0, initStd),
      biasInit: init.constant(gateBias ?? 0),
      dtype,
    };
    const free = spec.inputIndependent === true;
    this.proj = free ? undefined : new Linear(gateInputDims, heads * width, projection);
    this.logits = free ? parameter([heads, width], init.zeros, { dtype }) : undefined;
  }

  /** The shapes of its parameters. */
  static shapes(
    spec: GateSpec,
    sizes: HeadSizes,
    { gateBias, gateInputDims = sizes.dModel }: GateSettings = {},
  ): Record<string, Shape> {
    const { heads, width } = scoresOf(spec, sizes);
    if (spec.inputIndependent === true) return { logits: [heads, width] };
    const { weight, bias } = Linear.shapes(gateInputDims, heads * width);
    return gateBias === undefined ? { "proj.weight": weight } : { "proj.weight": weight, "proj.bias": bias };
  }

  /** x [B, n, dModel] -> scores [B, n, heads, width]; [1, 1, heads, width] when they look at nothing. */
  override forward(x: Tensor): Tensor {
    const [batch, steps, features] = x.shape;
    const { spec, heads, width, inputDims } = this;
    const seen = inputDims === features ? x : x.narrow(-1, 0, inputDims);
    const logits =
      this.logits?.reshape([1, 1, heads, width]) ?? this.proj?.forward(seen).reshape([batch, steps, heads, width]);
    if (logits === undefined) throw new ArgumentError("AttentionGate", "has neither a projection nor logits");
    const activate = activations[spec.activation ?? "sigmoid"];
    if (spec.sharing !== "shared") return activate(logits);
    return spec.shareBefore === true
      ? activate(logits.mean(2, { keepDims: true }))
      : activate(logits).mean(2, { keepDims: true });
  }

  /** y [B, n, heads, channels] with the scores applied (Eq. 5 or its additive form). */
  apply(y: Tensor, scores: Tensor): Tensor {
    return forms[this.spec.form ?? "mul"](y, scores);
  }
}

/** What a spec may say: for those who write it without types. */
const choices: Readonly<Record<"position" | "granularity" | "sharing" | "form" | "activation", readonly string[]>> = {
  position: ["G1", "G2", "G3", "G4", "G5"],
  granularity: ["elementwise", "headwise"],
  sharing: ["specific", "shared"],
  form: Object.keys(forms),
  activation: Object.keys(activations),
};

interface GateInit {
  /** Standard deviation of W_theta's first values; default 0.02. */
  readonly initStd?: number;
  readonly dtype?: DType;
}

function check(spec: GateSpec, sizes: HeadSizes, { gateBias, gateInputDims = 0 }: GateSettings): void {
  const op = "AttentionGate";
  for (const [what, allowed] of Object.entries(choices)) {
    const value = spec[what as keyof typeof choices];
    if (value !== undefined && !allowed.includes(value))
      throw new ArgumentError(op, `${what} must be one of ${allowed.join(", ")}, got "${value}"`);
  }
  if (spec.position === "G5" && (spec.granularity === "headwise" || spec.sharing === "shared"))
    throw new ArgumentError(op, "after the output projection (G5) there are no heads: elementwise and specific only");
  if (spec.inputIndependent === true && gateBias !== undefined)
    throw new ArgumentError(op, "an input-independent gate is a bias already: leave gateBias out");
  if (!Number.isInteger(gateInputDims) || gateInputDims < 1 || gateInputDims > sizes.dModel)
    throw new ArgumentError(op, `gateInputDims must be from 1 to dModel = ${sizes.dModel}, got ${gateInputDims}`);
}
