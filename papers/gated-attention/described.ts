// What `describe` lists: the models trained here, then the paper's.

import type { ModelDescription } from "../paper.ts";
import { backcopyModel } from "./backcopy.ts";
import { sequenceLength } from "./backcopy-task.ts";
import type { GatedAttentionPaperConfig } from "./config.ts";
import { modelRows, publishedModels } from "./describe.ts";
import { languageModel } from "./language.ts";

export function describeModels({ language, backcopy }: GatedAttentionPaperConfig): ModelDescription {
  const arms = [...new Set(language.runs.map(({ arm }) => arm))];
  return {
    models: [
      ...arms.map((arm) => ({
        name: `Task A, ${arm}`,
        note: "feed-forward narrowed by what the gate has; multiply-adds of one character",
        modules: modelRows(languageModel(arm), language.length),
      })),
      ...backcopy.arms.map((arm) => ({
        name: `Task B, ${arm}`,
        note: "multiply-adds of one token",
        modules: modelRows(backcopyModel(arm), sequenceLength),
      })),
      ...publishedModels(),
    ],
  };
}
