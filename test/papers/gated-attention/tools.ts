// What the tests of the model share: tiny f64 models of every variant, made from one baseline.

import type { Shape, Tensor } from "../../../engine/index.ts";
import { type AnyModule, Stream } from "../../../nn/index.ts";
import { GatedAttention, type GatedAttentionOptions } from "../../../papers/gated-attention/attention.ts";
import type { TransformerLMOptions } from "../../../papers/gated-attention/model.ts";
import { type VariantName, variantOf, withVariant } from "../../../papers/gated-attention/variants.ts";

/** A tiny baseline: two queries share a key; weights large enough that nothing is near zero. */
export const tiny = {
  vocabSize: 7,
  nLayers: 2,
  dModel: 4,
  nHeads: 4,
  nKvHeads: 2,
  headDim: 2,
  feedForward: 3,
  initStd: 0.7,
  seed: 1,
  dtype: "f64",
} as const satisfies TransformerLMOptions;

/** Experts for variants that add some. */
const experts = { experts: 2, topK: 1, hidden: 2 };

/** The tiny baseline changed as the variant says; limits are lowered to where they matter. */
export function tinyOptions(name: VariantName, changes: Partial<TransformerLMOptions> = {}): TransformerLMOptions {
  const variant = variantOf(name);
  const base = { ...tiny, ...changes, ...(variant.moreExperts === undefined ? {} : { feedForward: experts }) };
  const options = withVariant(base, variant);
  return options.clip === undefined ? options : { ...options, clip: options.clip / 200 };
}

/** A layer whose weights depend on their names and the seed. */
export const attentionOf = (options: GatedAttentionOptions, seed = 1): GatedAttention =>
  new GatedAttention(options).initialize(seed);

/** Sets a parameter, by name, to given values. */
export function setParameter(module: AnyModule, name: string, values: ArrayLike<number>): void {
  const found = module.namedParameters().find(([own]) => own === name);
  if (found === undefined) throw new Error(`no parameter "${name}"`);
  found[1].copyFrom(Float64Array.from(values));
}

/** A parameter, by name. */
export function getParameter(module: AnyModule, name: string): Tensor {
  const found = module.namedParameters().find(([own]) => own === name);
  if (found === undefined) throw new Error(`no parameter "${name}"`);
  return found[1];
}

/** All names with their shapes. */
export const shapesOf = (module: AnyModule): Record<string, Shape> =>
  Object.fromEntries(module.namedParameters().map(([name, p]) => [name, p.shape]));

/** Token ids below `vocabSize`. */
export function randomIds(count: number, vocabSize: number, seed: number): number[] {
  const stream = new Stream(seed, "ids");
  return Array.from({ length: count }, () => stream.integer(vocabSize));
}
