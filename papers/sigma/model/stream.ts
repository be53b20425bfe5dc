// Streaming users: one item at a time, the scores after each equal to a forward pass over the whole history.

import { ArgumentError, compile, type Tensor, tensor, zeros } from "../../../engine/index.ts";
import type { Recommender } from "../recommender.ts";
import { GMamba, MambaMixer } from "./gmamba.ts";
import { GRU4Rec } from "./gru4rec.ts";
import { checkHistory, padHistories } from "./histories.ts";
import { gmambaStream, type MixerState, mambaStream } from "./mixer-stream.ts";
import { evaluating, scorerOf } from "./recommend.ts";
import { Mamba4Rec, Sigma, StateSpaceRecommender } from "./sigma.ts";

/** A user's stream. */
export interface Stream {
  /**
   * "constant": work and memory of a step do not depend on how many items came before, and none is forgotten: scores are
   * those of a forward pass over the whole history, however long. "window": a step is a forward pass over the last
   * `maxLength` items.
   */
  readonly cost: "constant" | "window";
  /** The next item; returns the scores of all ids, [V], that of padding -Infinity. @throws ArgumentError */
  push(item: number): Promise<Float32Array | Float64Array>;
}

/** Which models have a step of constant cost, and the others' reason, for those who wonder. */
export function streamingCost(model: Recommender): { readonly cost: Stream["cost"]; readonly why: string } {
  if (model instanceof GRU4Rec || model instanceof Mamba4Rec) return { cost: "constant", why: "every part is causal" };
  if (!(model instanceof Sigma)) return { cost: "window", why: "attention looks at all positions, which are numbered" };
  if (model.layers.length > 1)
    return { cost: "window", why: "a second layer sees how the flipped first one changes at every position" };
  if (!model.maskPad) return { cost: "window", why: "unmasked padding makes scores depend on the padded length" };
  const { mixer } = model.layers[0];
  if (mixer instanceof GMamba && mixer.pfMamba.flipMode === "padded")
    return { cost: "window", why: "a fixed cut makes scores depend on the padded length" };
  return { cost: "constant", why: "a new item goes in front of the flipped part, which its composed steps allow" };
}

/**
 * A stream of one user in evaluation mode, from an empty history. Mamba4Rec and GRU4Rec carry their states. SIGMA of one
 * layer, masked and flipped by true lengths, does too: see `gmambaStream`. All others compute their window again; `cost`
 * says which it is. A model trained further gives streams in progress a state of old weights: start anew then.
 */
export function streamOf(model: Recommender): Stream {
  if (streamingCost(model).cost === "window") return windowStream(model);
  if (model instanceof GRU4Rec) return gruStream(model);
  if (model instanceof StateSpaceRecommender) return layersStream(model);
  throw new ArgumentError("streamOf", `no stream for ${model.constructor.name}`);
}

function windowStream(model: Recommender): Stream {
  let history: number[] = [];
  return {
    cost: "window",
    async push(item) {
      checkHistory("push", [item], model.items, "the step");
      history = [...history, item].slice(-model.maxLength);
      const { ids, lengths } = padHistories([history], model.items, model.maxLength);
      return floats(scorerOf(model)(ids, lengths));
    },
  };
}

/** One step of all of a model: item id [1, 1] and states of its parts -> scores [1, V] and states. */
type Step = (id: Tensor, states: readonly MixerState[]) => { readonly scores: Tensor; readonly states: MixerState[] };

/** @param warm from which item on the shapes of the states stay the same */
function stateStream(model: Recommender, step: Step, start: readonly MixerState[], warm: number): Stream {
  const inEvaluation: Step = (id, states) => evaluating(model, () => step(id, states));
  const compiled = compile(inEvaluation);
  let states = start;
  let count = 0;
  return {
    cost: "constant",
    async push(item) {
      checkHistory("push", [item], model.items, "the step");
      const id = tensor([[item]], { dtype: "i32" });
      // Before they settle, every step has shapes of its own: not worth a program each.
      const next = count++ < warm ? inEvaluation(id, states) : compiled(id, states);
      const scores = await floats(next.scores);
      states = next.states;
      return scores;
    },
  };
}

function gruStream(model: GRU4Rec): Stream {
  const { gru, linear, table } = model;
  const step: Step = (id, [{ h }]) => {
    const { output, state } = gru.forward(table.forward(id), [h]);
    return { scores: model.scoresOf(linear.forward(output).squeeze(1)), states: [{ h: state[0] }] };
  };
  return stateStream(model, step, [{ h: zeros([1, 1, gru.hidden], { dtype: table.weight.dtype }) }], 0);
}

/** Mamba4Rec and SIGMA: their layers' mixers step by step, the rest as it is. */
function layersStream(model: StateSpaceRecommender): Stream {
  const streams = model.layers.map(({ mixer }) => {
    if (mixer instanceof MambaMixer) return mambaStream(mixer.mamba);
    if (mixer instanceof GMamba) return gmambaStream(mixer);
    throw new ArgumentError("streamOf", `no steps for ${mixer.constructor.name}`);
  });
  const step: Step = (id, states) => {
    let x = model.embed(id);
    const after: MixerState[] = [];
    for (const [i, layer] of model.layers.entries()) {
      const input = x;
      const { mixed, state } = streams[i].step(input, states[i]);
      x = layer.finish(mixed, () => input);
      after.push(state);
    }
    return { scores: model.scoresOf(x.squeeze(1)), states: after };
  };
  const warm = Math.max(...streams.map((stream) => stream.warm));
  return stateStream(
    model,
    step,
    streams.map(({ start }) => start),
    warm,
  );
}

async function floats(scores: Tensor): Promise<Float32Array | Float64Array> {
  const values = await scores.data();
  if (values instanceof Float32Array || values instanceof Float64Array) return values;
  throw new ArgumentError("push", "scores are floats");
}
