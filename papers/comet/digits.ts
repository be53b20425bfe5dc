// Task C: two tasks, reading either of two overlapping digits, over shared experts with a gate each.

import { compile, type Tensor, tensor } from "../../engine/index.ts";
import { type Gate, type GateOutput, MLPExperts, MultiGateMoE } from "../../moe/index.ts";
import { Adam, crossEntropy, init, Linear, Module, ReLU, Sequential, Stream } from "../../nn/index.ts";
import type { Trial } from "../paper.ts";
import type { DigitsConfig, GateName } from "./config.ts";
import { checkFinite, makeGate } from "./gates.ts";
import { loadMnist } from "./mnist.ts";
import { type DigitPairs, Epochs, makePairs, pick, pixelCount } from "./multi-mnist.ts";

export const expertSizes = [pixelCount, 32, 24] as const;
export const headSizes = [24, 24, 10] as const;

/** Training digits up to here make training pairs, those after it test pairs. */
const split = 50_000;

/** The pairs of the last seed: reading and checking MNIST takes a second. */
let lastPairs: { readonly seed: number; readonly train: DigitPairs; readonly test: DigitPairs } | undefined;

async function pairsOf(seed: number, { train, test }: DigitsConfig) {
  if (lastPairs?.seed === seed && lastPairs.train.count === train && lastPairs.test.count === test) return lastPairs;
  const digits = await loadMnist("train");
  lastPairs = {
    seed,
    train: makePairs(digits, 0, split, train, new Stream(100 + seed, "training pairs")),
    test: makePairs(digits, split, digits.count, test, new Stream(100 + seed, "test pairs")),
  };
  return lastPairs;
}

/** What the model says of a batch: logits [B, 10] of each digit. */
interface DigitsOutput {
  readonly logits: readonly Tensor[];
  readonly gates: readonly GateOutput[];
  readonly regLoss: Tensor;
}

/** Shared experts, and for each of the two digits a gate on the pixels and a head. */
export class DigitsModel extends Module<[x: Tensor], DigitsOutput> {
  readonly moe: MultiGateMoE;
  readonly heads: readonly Sequential[];

  constructor({ nExperts }: DigitsConfig, gates: readonly Gate[]) {
    super();
    this.moe = new MultiGateMoE(new MLPExperts({ nExperts, sizes: expertSizes, activateLast: true }), gates);
    const [from, hidden, to] = headSizes;
    // The heads start as the experts do.
    const layer = (inDim: number, outDim: number, gain: number): Linear =>
      new Linear(inDim, outDim, { weightInit: init.kaimingNormal(inDim, gain), biasInit: init.zeros });
    this.heads = gates.map(() => new Sequential(layer(from, hidden, Math.SQRT2), new ReLU(), layer(hidden, to, 1)));
  }

  override forward(x: Tensor): DigitsOutput {
    const { outputs, gates, regLoss } = this.moe.forward(x);
    return { logits: outputs.map((output, task) => this.heads[task].forward(output)), gates, regLoss };
  }
}

export async function runDigits(trial: Trial, config: DigitsConfig): Promise<void> {
  const { train, test } = await pairsOf(trial.seed, config);
  const settings = { ...config, inputDim: pixelCount, searchSteps: 1, ids: 1 };
  const gates = [0, 1].map(() => makeGate(trial.arm as GateName, settings, trial.seed).gate);
  const model = new DigitsModel(config, gates).initialize(trial.seed);
  const optimizer = new Adam(model.parameters(), { lr: config.lr });

  /** The mean of both tasks' cross-entropies. */
  const lossOf = (logits: readonly Tensor[], first: Tensor, second: Tensor): Tensor =>
    crossEntropy(logits[0], first).add(crossEntropy(logits[1], second)).mul(0.5);
  const supportOf = (found: readonly { support: Tensor }[]): Tensor =>
    found[0].support.add(found[1].support).mean().mul(0.5);

  const trainStep = compile((x: Tensor, first: Tensor, second: Tensor) => {
    model.train();
    optimizer.zeroGrad();
    const { logits, gates: found, regLoss } = model.forward(x);
    const loss = lossOf(logits, first, second).add(regLoss);
    loss.backward();
    optimizer.step();
    const checks = { "gate weights": found[0].weights.sum(), logits: logits[0].sum(), regularizer: regLoss, loss };
    return { loss, checks, support: supportOf(found) };
  });
  const evaluate = compile((x: Tensor, first: Tensor, second: Tensor) => {
    model.eval();
    const { logits, gates: found } = model.forward(x);
    const right = logits.map((guess, task) =>
      guess
        .argmax(-1)
        .equal(task === 0 ? first : second)
        .cast("f32")
        .mean(),
    );
    return {
      loss: lossOf(logits, first, second),
      accuracy: right[0].add(right[1]).mul(0.5),
      support: supportOf(found),
    };
  });

  const epochs = new Epochs(train.count, new Stream(100 + trial.seed, "batches"));
  const whole = toTensors(
    pick(
      test,
      Array.from({ length: test.count }, (_, i) => i),
    ),
  );
  for (let step = 1; step <= trial.steps; step++) {
    const { loss, checks, support } = trainStep(...toTensors(pick(train, epochs.next(config.batch))));
    const value = loss.item();
    checkFinite(step, checks, value);
    const report: Record<string, number> = {};
    if (step === 1 || step % config.logEvery === 0) Object.assign(report, { loss: value, support: support.item() });
    if (step === 1 || step % config.evaluateEvery === 0) report["test loss"] = evaluate(...whole).loss.item();
    await trial.step(step, report);
  }
  const found = evaluate(...whole);
  trial.scalar("test loss", found.loss.item());
  trial.scalar("accuracy", found.accuracy.item());
  trial.scalar("support", found.support.item());
}

function toTensors({ x, labels }: ReturnType<typeof pick>): [x: Tensor, first: Tensor, second: Tensor] {
  return [tensor(x, { shape: [x.length / pixelCount, pixelCount] }), tensor(labels[0]), tensor(labels[1])];
}
