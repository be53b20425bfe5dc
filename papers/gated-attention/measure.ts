// Diagnostics as plain numbers: what a trial keeps, and figures and claims read.

import { type Compiled, compile, type Tensor } from "../../engine/index.ts";
import { mean } from "../statistics.ts";
import { diagnostics, type LayerDiagnostics } from "./diagnostics.ts";
import type { TransformerLM } from "./model.ts";
import { lossOf } from "./session.ts";

/** The numbers of one layer; names are those of `LayerDiagnostics`. */
export interface LayerNumbers {
  readonly fAttn: number;
  readonly fAttnLater: number;
  readonly gateWeightedFAttn: number;
  readonly mAct: number;
  /** By head of keys and values. */
  readonly drain: readonly number[];
  readonly output: {
    readonly before: number;
    readonly after: number;
    readonly sparsityBefore: readonly number[];
    readonly sparsityAfter: readonly number[];
    readonly sparsityControl: readonly number[];
  };
  /** Without a gate there are none. */
  readonly scores?: { readonly mean: number; readonly std: number; readonly min: number; readonly max: number };
  readonly histogram?: readonly number[];
}

/** A model on some windows: mean loss in nats, and its layers. */
export interface Measured {
  readonly loss: number;
  readonly layers: readonly LayerNumbers[];
}

const list = (x: Tensor): number[] => Array.from(x.dataSync());

function numbersOf({ output, scores, histogram, ...layer }: LayerDiagnostics): LayerNumbers {
  return {
    fAttn: layer.fAttn.item(),
    fAttnLater: layer.fAttnLater.item(),
    gateWeightedFAttn: layer.gateWeightedFAttn.item(),
    mAct: layer.mAct.item(),
    drain: list(layer.drain),
    output: {
      before: output.before.item(),
      after: output.after.item(),
      sparsityBefore: list(output.sparsityBefore),
      sparsityAfter: list(output.sparsityAfter),
      sparsityControl: list(output.sparsityControl),
    },
    ...(scores === undefined
      ? {}
      : {
          scores: {
            mean: scores.mean.item(),
            std: scores.std.item(),
            min: scores.min.item(),
            max: scores.max.item(),
          },
        }),
    ...(histogram === undefined ? {} : { histogram: list(histogram) }),
  };
}

/** Measures a model as it is when called, on inputs and targets [B, n]; queries before `firstQuery` have few to attend to. */
export function measuring(model: TransformerLM, firstQuery: number): (inputs: Tensor, targets: Tensor) => Measured {
  const run: Compiled<[Tensor, Tensor], { loss: Tensor; layers: LayerDiagnostics[] }> = compile(
    (inputs: Tensor, targets: Tensor) => {
      const trace = model.inspect(inputs);
      return {
        loss: lossOf(trace.logits, targets),
        layers: diagnostics(trace, model.options.gate ?? null, firstQuery),
      };
    },
  );
  return (inputs, targets) => {
    const { loss, layers } = run(inputs, targets);
    return { loss: loss.item(), layers: layers.map(numbersOf) };
  };
}

/** The mean over the layers of one of their numbers. */
export const overLayers = (layers: readonly LayerNumbers[], of: (layer: LayerNumbers) => number): number =>
  mean(layers.map(of));

/** The mean gate score over the layers; undefined without a gate. */
export function gateScore(layers: readonly LayerNumbers[]): number | undefined {
  const scores = layers.flatMap(({ scores: found }) => (found === undefined ? [] : [found.mean]));
  return scores.length === 0 ? undefined : mean(scores);
}
