// Task B: trains one arm on bigram-backcopy and looks at what its gate does where the head has something to say.

import { compile, NumericError, type Tensor, tensor } from "../../engine/index.ts";
import { constantSchedule, withWarmup } from "../../nn/index.ts";
import type { Json, Trial } from "../paper.ts";
import { mean } from "../statistics.ts";
import { BackcopyTask, type Sequences, sequenceLength, tokenCount, toTensors } from "./backcopy-task.ts";
import type { BackcopyConfig } from "./config.ts";
import { rounded } from "./language.ts";
import { measuring } from "./measure.ts";
import type { TransformerLM, TransformerLMOptions } from "./model.ts";
import { Session } from "./session.ts";
import { type VariantName, variantOf, withVariant } from "./variants.ts";

const baseline: TransformerLMOptions = {
  vocabSize: tokenCount,
  nLayers: 1,
  dModel: 32,
  nHeads: 1,
  nKvHeads: 1,
  headDim: 32,
  feedForward: 85,
  learnedPositions: sequenceLength,
  rope: null,
  qkNorm: false,
};

/** The model of an arm; parameters are not matched. */
export const backcopyModel = (arm: VariantName): TransformerLMOptions => withVariant(baseline, variantOf(arm));

/** Runs one trial; the README beside this file describes the task. */
export async function runBackcopy(trial: Trial, config: BackcopyConfig): Promise<void> {
  const arm = trial.arm as VariantName;
  const task = new BackcopyTask(trial.seed);
  const session = new Session(backcopyModel(arm), config, trial.seed);
  const schedule = withWarmup(constantSchedule(config.lr), config.warmup);
  for (let step = 1; step <= trial.steps; step++) {
    const loss = session.train(...toTensors(task.training(step - 1, config.batch)), schedule(step - 1));
    if (!Number.isFinite(loss)) throw new NumericError(arm, `the loss became ${loss} at step ${step}`);
    await trial.step(step, step === 1 || step % config.logEvery === 0 ? { loss } : {});
  }
  const sequences = task.evaluation(config.evaluation);
  const { loss, layers } = measuring(session.model, config.firstQuery)(...toTensors(sequences));
  trial.scalar("validation loss", loss);
  trial.scalar("entropy", mean([...sequences.entropy]));
  trial.scalar("value drain", mean(layers[0].drain));
  trial.keep("layers", layers as unknown as Json);
  for (const [name, value] of Object.entries(atQueries(session.model, sequences, config.firstQuery)))
    trial.scalar(name, value);
  const { layers: traces } = session.model.inspect(toTensors(sequences)[0].narrow(0, 0, 1));
  trial.keep("attention", [rounded(traces[0].weights.mean(1).squeeze(0))]);
  trial.keep("triggers", [...sequences.copies.subarray(0, sequenceLength)]);
}

/** Gate scores and attention on the first token, apart for queries that are triggers and others, from `first` on. */
function atQueries(model: TransformerLM, sequences: Sequences, first: number): Record<string, number> {
  const { count, copies } = sequences;
  const look = compile((inputs: Tensor, copy: Tensor) => {
    const [{ weights, scores }] = model.inspect(inputs).layers;
    const later = (x: Tensor): Tensor => x.narrow(1, first, sequenceLength - first);
    const sink = later(weights.select(3, 0).mean(1));
    const gate = scores === undefined ? undefined : later(scores.mean([2, 3]));
    const triggers = later(copy);
    const others = triggers.neg().add(1);
    const over = (x: Tensor, mask: Tensor): Tensor => x.mul(mask).sum().div(mask.sum());
    return {
      "F-Attn, triggers": over(sink, triggers),
      "F-Attn, others": over(sink, others),
      // Where there is no gate, all of the first token's share gets through.
      "gate-weighted F-Attn": over(gate === undefined ? sink : sink.mul(gate), others),
      ...(gate === undefined ? {} : { "gate, triggers": over(gate, triggers), "gate, others": over(gate, others) }),
    };
  });
  const copy = tensor(Float32Array.from(copies), { shape: [count, sequenceLength] });
  const found = look(toTensors(sequences)[0], copy);
  return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, value.item()]));
}
