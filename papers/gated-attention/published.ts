// Weights in files of others: Qwen3's names, with the gate apart or fused into the queries.

import { ArgumentError, stack, type Tensor } from "../../engine/index.ts";
import { camelCase, type Renaming, renameState, snakeCase } from "../../nn/index.ts";
import { ExpertFeedForward } from "./experts.ts";
import { type FusedLayout, fuse, fusible, unfuse } from "./fused.ts";
import type { TransformerLM } from "./model.ts";

export interface PublishedOptions {
  /** Where the gate is fused into `q_proj`, how; default: it is apart, as `self_attn.gate.proj`. */
  readonly fusedLayout?: FusedLayout;
}

type State = Record<string, Tensor>;

const toFile: readonly Renaming[] = [[/^(?!lm_head)/, "model."]];
const fromFile: readonly Renaming[] = [[/^model\./, ""]];
const queryName = (layer: number): string => `layers.${layer}.selfAttn.qProj.weight`;
const gateName = (layer: number): string => `layers.${layer}.selfAttn.gate.proj.weight`;
const expertMatrices = ["gateProj", "upProj", "downProj"] as const;

/** A model's weights under the names of published Qwen3 files, for `encodeSafetensors`. */
export async function publishedState(model: TransformerLM, { fusedLayout }: PublishedOptions = {}): Promise<State> {
  const state = await model.stateDict();
  model.layers.forEach((layer, i) => {
    if (fusedLayout !== undefined) {
      const { sizes } = fusible(layer.selfAttn);
      state[queryName(i)] = fuse(state[queryName(i)], state[gateName(i)], fusedLayout, sizes);
      delete state[gateName(i)];
    }
    if (layer.mlp instanceof ExpertFeedForward) unstackExperts(state, `layers.${i}.mlp`, layer.mlp.experts);
  });
  return renameState(state, snakeCase, toFile);
}

/**
 * Sets all of a model's weights from a file's tensors, or none. Floats are taken in the model's dtype, and a tied
 * model's second copy of its table is dropped. @throws ArgumentError that lists every name that is missing, unknown or
 * of another shape
 */
export async function loadPublished(
  model: TransformerLM,
  file: Readonly<State>,
  { fusedLayout }: PublishedOptions = {},
): Promise<void> {
  const state = renameState(file, camelCase, fromFile);
  if (model.lmHead === undefined) delete state["lmHead.weight"];
  model.layers.forEach((layer, i) => {
    if (fusedLayout !== undefined) {
      const fused = state[queryName(i)];
      if (fused === undefined) throw new ArgumentError("loadPublished", `"${queryName(i)}" is missing`);
      const { query, gate } = unfuse(fused, fusedLayout, fusible(layer.selfAttn).sizes);
      state[queryName(i)] = query;
      state[gateName(i)] = gate;
    }
    if (layer.mlp instanceof ExpertFeedForward) stackExperts(state, `layers.${i}.mlp`, layer.mlp.experts);
  });
  const { dtype = "f32" } = model.options;
  await model.loadStateDict(Object.fromEntries(Object.entries(state).map(([name, x]) => [name, x.cast(dtype)])));
}

/** Files hold each expert's matrices; a model holds them stacked. */
function unstackExperts(state: State, mlp: string, count: number): void {
  for (const matrix of expertMatrices) {
    const all = state[`${mlp}.${matrix}`];
    for (let e = 0; e < count; e++) state[`${mlp}.experts.${e}.${matrix}.weight`] = all.select(0, e);
    delete state[`${mlp}.${matrix}`];
  }
}

function stackExperts(state: State, mlp: string, count: number): void {
  for (const matrix of expertMatrices) {
    const names = Array.from({ length: count }, (_, e) => `${mlp}.experts.${e}.${matrix}.weight`);
    const missing = names.find((name) => state[name] === undefined);
    if (missing !== undefined) throw new ArgumentError("loadPublished", `"${missing}" is missing`);
    state[`${mlp}.${matrix}`] = stack(
      names.map((name) => state[name]),
      0,
    );
    for (const name of names) delete state[name];
  }
}
