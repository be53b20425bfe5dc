// The paper's variants as data: rows of its Tables 1, 3, 4 and 6, its stabilisers, and the grid's other points.

import { ArgumentError } from "../../engine/index.ts";
import { countOf } from "../../nn/index.ts";
import { GatedAttention, type OutputControl } from "./attention.ts";
import type { GateActivation, GateForm, GatePosition, GateSpec } from "./gate.ts";
import type { TransformerLMOptions } from "./model.ts";

/** What a variant changes of a baseline. */
export interface Variant {
  readonly gate?: GateSpec;
  readonly control?: OutputControl;
  readonly switchHead?: { readonly keys: boolean; readonly experts: number; readonly topK: number };
  readonly outNorm?: "sandwich";
  readonly clip?: number;
  /** Factors of the numbers of heads. */
  readonly queryHeads?: number;
  readonly kvHeads?: number;
  /** Experts added, in total and for each token. */
  readonly moreExperts?: number;
}

const gate = (position: GatePosition, rest: Omit<GateSpec, "position"> = {}): Variant => ({
  gate: { position, ...rest },
});
const headwise = { granularity: "headwise" } as const;
const shared = { sharing: "shared" } as const;
const additive = (activation: GateActivation) => ({ form: "add" as GateForm, activation });
const switched = (keys: boolean, experts: number, topK: number): Variant => ({ switchHead: { keys, experts, topK } });

export const variants = {
  baseline: {},
  // Table 1: more parameters instead of a gate.
  "more-kv": { kvHeads: 2 },
  "more-q": { queryHeads: 1.5 },
  "more-experts": { moreExperts: 4 },
  // Table 1: position.
  "g1-elementwise": gate("G1"),
  "g2-elementwise": gate("G2"),
  "g3-elementwise": gate("G3"),
  "g4-elementwise": gate("G4"),
  "g5-elementwise": gate("G5"),
  // Granularity.
  "g1-headwise": gate("G1", headwise),
  "g2-headwise": gate("G2", headwise),
  "g3-headwise": gate("G3", headwise),
  "g4-headwise": gate("G4", headwise),
  // Sharing.
  "g1-shared": gate("G1", shared),
  "g2-shared": gate("G2", shared),
  "g3-shared": gate("G3", shared),
  "g4-shared": gate("G4", shared),
  "g1-headwise-shared": gate("G1", { ...headwise, ...shared }),
  "g1-shared-before": gate("G1", { ...shared, shareBefore: true }),
  // Form and activation.
  "g1-additive-silu": gate("G1", additive("silu")),
  "g2-additive-silu": gate("G2", additive("silu")),
  "g5-additive-silu": gate("G5", additive("silu")),
  "g1-headwise-additive-silu": gate("G1", { ...headwise, ...additive("silu") }),
  "g1-additive-identity": gate("G1", additive("identity")),
  "g1-additive-sigmoid": gate("G1", additive("sigmoid")),
  "g1-elementwise-silu": gate("G1", { activation: "silu" }),
  "g2-elementwise-silu": gate("G2", { activation: "silu" }),
  "g1-elementwise-identity": gate("G1", { activation: "identity" }),
  // Table 4: not sparse, not dependent on the input.
  "ns-sigmoid": gate("G1", { activation: "ns-sigmoid" }),
  "ns-sigmoid-headwise": gate("G1", { ...headwise, activation: "ns-sigmoid" }),
  "g2-ns-sigmoid": gate("G2", { activation: "ns-sigmoid" }),
  "g1-const": gate("G1", { inputIndependent: true }),
  "g2-const": gate("G2", { inputIndependent: true }),
  // Table 3: non-linearity without a gate.
  "g1-rmsnorm": { control: "rmsnorm" },
  "g1-silu": { control: "silu" },
  // Table 6: SwitchHead.
  "switch-kv-8-top-8": switched(true, 8, 8),
  "switch-kv-4-top-4": switched(true, 4, 4),
  "switch-v-4-top-4": switched(false, 4, 4),
  "switch-v-8-top-2": switched(false, 8, 2),
  "switch-v-1-top-1": switched(false, 1, 1),
  // Stabilisers.
  sandwich: { outNorm: "sandwich" },
  "clip-300": { clip: 300 },
  "clip-100": { clip: 100 },
  "g1-sandwich": { ...gate("G1"), outNorm: "sandwich" },
} as const satisfies Readonly<Record<string, Variant>>;

export type VariantName = keyof typeof variants;

export const variantNames = Object.keys(variants) as readonly VariantName[];

/** What a variant says, typed as what it may say. */
export const variantOf = (name: VariantName): Variant => variants[name];

/**
 * A baseline changed as the variant says. @throws ArgumentError for more experts of a model without any, or where the
 * factor gives no whole number of heads
 */
export function withVariant(base: TransformerLMOptions, variant: Variant): TransformerLMOptions {
  const { queryHeads = 1, kvHeads = 1, moreExperts, ...changes } = variant;
  const nHeads = base.nHeads * queryHeads;
  if (!Number.isInteger(nHeads))
    throw new ArgumentError("withVariant", `${queryHeads} times nHeads = ${base.nHeads} is no whole number of heads`);
  const heads = { nHeads, nKvHeads: base.nKvHeads * kvHeads };
  if (moreExperts === undefined) return { ...base, ...changes, ...heads };
  const { feedForward } = base;
  if (typeof feedForward === "number")
    throw new ArgumentError("withVariant", "there are no experts to add to: feedForward is a number");
  const { experts, topK } = feedForward;
  return {
    ...base,
    ...changes,
    ...heads,
    feedForward: { ...feedForward, experts: experts + moreExperts, topK: topK + moreExperts },
  };
}

/**
 * The options with the feed-forward narrowed so that all parameters match those without the gate:
 * F' = F - round(P_gate / (3 dModel)). @throws ArgumentError with experts, or where nothing of F would be left
 */
export function matchParams(options: TransformerLMOptions): TransformerLMOptions {
  const { feedForward, dModel } = options;
  if (typeof feedForward !== "number")
    throw new ArgumentError("matchParams", "narrows a dense feed-forward; this model has experts");
  const extra = countOf(GatedAttention.shapes(options)) - countOf(GatedAttention.shapes({ ...options, gate: null }));
  const narrowed = feedForward - Math.round(extra / (3 * dModel));
  if (narrowed < 1)
    throw new ArgumentError(
      "matchParams",
      `the gate has more parameters (${extra}) than the feed-forward to take from`,
    );
  return { ...options, feedForward: narrowed };
}
