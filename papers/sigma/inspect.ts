// What goes on inside a trained SIGMA: its mixing weights, what its gates do, how large its branches are.

import type { Tensor } from "../../engine/index.ts";
import { noGrad } from "../../engine/index.ts";
import { focused, type Histories, masked, realPositions } from "./model/extent.ts";
import { GMamba } from "./model/gmamba.ts";
import { type Recommender, Sigma } from "./model/index.ts";

/** The mixer of a SIGMA's first layer; undefined for other models. */
function mixerOf(model: Recommender): GMamba | undefined {
  const mixer = model instanceof Sigma ? model.layers[0].mixer : undefined;
  return mixer instanceof GMamba ? mixer : undefined;
}

/** The weights of the three branches of a SIGMA's first layer by name; nothing for other models. */
export async function mixWeights(model: Recommender): Promise<Record<string, number>> {
  const weights = await mixerOf(model)?.weights().data();
  if (weights === undefined) return {};
  return Object.fromEntries(Array.from(weights, (weight, i) => [branchNames[i], weight]));
}

export const branchNames = ["forwards", "flipped", "GRU"] as const;

export interface Inspection {
  /** Mean factor 1 + Dg of each channel of both directions (one number each of a scalar gate); undefined without a gate. */
  readonly gate: { readonly forwards: readonly number[]; readonly flipped: readonly number[] } | undefined;
  /** Root mean square of each branch before it is weighed: forwards, flipped, GRU (where there is one). */
  readonly sizes: readonly number[];
}

/** What reaches the first layer of a model outside training. */
export function firstInputs(model: Sigma, ids: Tensor, lengths: Tensor): Histories {
  const real = model.maskPad ? realPositions(lengths, ids.shape[1]) : undefined;
  return { x: masked(model.norm.forward(model.table.forward(ids)), real), real, lengths };
}

/** Looks into the first layer at the positions where scores are read: ids [B, L], lengths [B]. */
export async function inspect(model: Sigma, ids: Tensor, lengths: Tensor): Promise<Inspection | undefined> {
  const mixer = mixerOf(model);
  if (mixer === undefined) return undefined;
  model.eval();
  const { forwards, flipped, features, gate } = noGrad(() =>
    mixer.branches(firstInputs(model, ids, lengths), { lengths }),
  );
  const numbers = async (x: Tensor): Promise<number[]> => Array.from(await x.data());
  const branches = [forwards, flipped, ...(features === undefined ? [] : [features])];
  const sizes = await Promise.all(branches.map(async (x) => (await numbers(x.square().mean().sqrt()))[0]));
  const mean = (x: Tensor): Promise<number[]> =>
    numbers(
      x
        .reshape([-1, x.shape[x.rank - 1]])
        .mean(0)
        .add(1),
    );
  return {
    gate: gate && { forwards: await mean(gate.forwards), flipped: await mean(gate.flipped) },
    sizes,
  };
}

/** The flipped direction's Mamba output where scores are read, before any gate: [B, size]. */
export function flippedReadOut(model: Sigma, ids: Tensor, lengths: Tensor): Tensor {
  const mixer = mixerOf(model);
  if (mixer === undefined) throw new Error("the first layer of this SIGMA has no G-Mamba");
  model.eval();
  const { outputs } = mixer.pfMamba.forward(firstInputs(model, ids, lengths));
  return focused(outputs.flipped, { lengths }).squeeze(1);
}
