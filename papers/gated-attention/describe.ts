// The models in numbers: modules, shapes, parameters and multiply-adds, without making any of them.

import { formatShape, type Shape } from "../../engine/index.ts";
import { countOf } from "../../nn/index.ts";
import type { ModelDescription, ModuleRow } from "../paper.ts";
import { TransformerLM, type TransformerLMOptions } from "./model.ts";
import type { NamedShapes } from "./shapes.ts";
import { type VariantName, variantOf, withVariant } from "./variants.ts";

/** Vocabulary of the counts: the paper gives none, this is its released code's default. */
const vocabSize = 151_936;

/** The paper's configurations: never made here, only counted. */
export const published = {
  "1.7B-28L": {
    vocabSize,
    nLayers: 28,
    dModel: 2048,
    nHeads: 16,
    nKvHeads: 8,
    headDim: 128,
    feedForward: 6144,
  },
  "1.7B-48L": {
    vocabSize,
    nLayers: 48,
    dModel: 1536,
    nHeads: 16,
    nKvHeads: 8,
    headDim: 128,
    feedForward: 4608,
  },
  "15A2B MoE": {
    vocabSize,
    nLayers: 24,
    dModel: 2048,
    nHeads: 32,
    nKvHeads: 4,
    headDim: 128,
    feedForward: { experts: 128, topK: 8, hidden: 768 },
    tied: false,
  },
} as const satisfies Readonly<Record<string, TransformerLMOptions>>;

export type PublishedName = keyof typeof published;

/** Tokens of a training sequence of the paper: what the scores and sums of attention are counted for. */
const sequence = 4096;

/** How many parameters a model has. */
export const parameterCount = (options: TransformerLMOptions): number => countOf(TransformerLM.shapes(options));

/** The parameters of one layer, that of the gate included. */
export function layerCount(options: TransformerLMOptions): number {
  return parameterCount({ ...options, nLayers: 1 }) - parameterCount({ ...options, nLayers: 0 });
}

/**
 * A model's rows. Layers are alike: one row stands for a module of all of them, with all their parameters.
 * Multiply-adds are those of one token: one per entry of a matrix it meets (topK of the experts), 2 nHeads headDim n for
 * attention to n tokens.
 */
export function modelRows(options: TransformerLMOptions, length = sequence): ModuleRow[] {
  const { nLayers, nHeads, headDim, tied = true, vocabSize: words, dModel } = options;
  const times = nLayers === 1 ? "" : `${nLayers} x `;
  const layer = TransformerLM.shapes({ ...options, nLayers: 1 });
  const rows = [...byModule(layer)].map(([name, shapes]): ModuleRow => {
    const repeated = name.startsWith("layers.0.") ? nLayers : 1;
    return {
      name: name.replace(/^layers\.0\./, "layers.*."),
      type: typeOf(name),
      shape: `${repeated === 1 ? "" : times}${Object.values(shapes).map(formatShape).join(" ")}`,
      parameters: repeated * countOf(shapes),
      multiplyAdds: repeated * multiplyAdds(name, shapes, options),
    };
  });
  const attention: ModuleRow = {
    name: `attention to ${length} tokens`,
    type: "scaledDotProductAttention",
    shape: `${times}[${nHeads}, ${length}, ${headDim}]`,
    parameters: 0,
    multiplyAdds: nLayers * 2 * nHeads * headDim * length,
  };
  const head: ModuleRow = {
    name: "embedTokens (tied output)",
    type: "Embedding.attend",
    shape: formatShape([words, dModel]),
    parameters: 0,
    multiplyAdds: words * dModel,
  };
  return [...rows, attention, ...(tied ? [head] : [])];
}

/** Parameters grouped by the module that has them. */
function byModule(shapes: NamedShapes): Map<string, Record<string, Shape>> {
  const groups = new Map<string, Record<string, Shape>>();
  for (const [name, shape] of Object.entries(shapes)) {
    const module = name.slice(0, name.lastIndexOf("."));
    groups.set(module, { ...groups.get(module), [name]: shape });
  }
  return groups;
}

const types: readonly (readonly [RegExp, string])[] = [
  [/embedTokens$/, "Embedding"],
  [/positions$/, "LearnedPositions"],
  [/([nN]orm)$/, "RMSNorm"],
  [/selfAttn\.gate$/, "AttentionGate (input-independent)"],
  [/mlp$/, "ExpertFeedForward"],
];

const typeOf = (name: string): string => types.find(([pattern]) => pattern.test(name))?.[1] ?? "Linear";

function multiplyAdds(name: string, shapes: NamedShapes, { feedForward }: TransformerLMOptions): number {
  // Tables are read, not multiplied with; vectors scale.
  if (/(embedTokens|positions|selfAttn\.gate)$/.test(name)) return 0;
  const matrices = countOf(Object.fromEntries(Object.entries(shapes).filter(([, shape]) => shape.length > 1)));
  const used = typeof feedForward !== "number" && name.endsWith(".mlp") ? feedForward.topK / feedForward.experts : 1;
  return matrices * used;
}

const described = ["baseline", "g1-elementwise", "g1-headwise"] as const satisfies VariantName[];

/** The full-size configurations: the baselines, and each with the two gates of the paper's dense runs. */
export const publishedModels = (): ModelDescription["models"] =>
  (Object.keys(published) as PublishedName[]).flatMap((name) =>
    described.map((variant) => ({
      name: `${name}, ${variant}`,
      note: "the paper's configuration, counted, not made; multiply-adds of one token",
      modules: modelRows(withVariant(published[name], variantOf(variant))),
    })),
  );
