// Task A: trains one gate with its experts on pairs of basis networks, and measures what the claims are about.

import { compile, type Tensor } from "../../engine/index.ts";
import { COMETGate, MLPExperts, MoE, sparseMixture } from "../../moe/index.ts";
import { Adam, init, mseLoss } from "../../nn/index.ts";
import type { Trial } from "../paper.ts";
import type { GateName, PairsConfig } from "./config.ts";
import { checkFinite, makeGate, type NamedGate, usesIds } from "./gates.ts";
import { idCount, inputDim, outputDim, PairsTask, toTensors } from "./pairs-data.ts";

/** The task of the last seed: gates come one after the other with the same seed, and share its batches. */
let lastTask: { readonly seed: number; readonly task: PairsTask } | undefined;

function taskOf(seed: number): PairsTask {
  if (lastTask?.seed !== seed) lastTask = { seed, task: new PairsTask(seed) };
  return lastTask.task;
}

/** The experts and how they start, the same for every gate of a seed. */
export function pairsExperts({ nExperts, hidden }: PairsConfig, seed: number): MLPExperts {
  const deviations = [Math.sqrt(2 / inputDim), Math.sqrt(1 / hidden)];
  return new MLPExperts({
    nExperts,
    sizes: [inputDim, hidden, outputDim],
    weightInit: (layer) => init.normal(0, deviations[layer]),
  }).initialize(seed);
}

/** Runs one trial; the README beside this file describes the task. */
export async function runPairs(trial: Trial, config: PairsConfig): Promise<void> {
  const name = trial.arm as GateName;
  const task = taskOf(trial.seed);
  const searchSteps = Math.round(config.steps * config.searchShare);
  const made = makeGate(name, { ...config, inputDim, searchSteps, ids: idCount }, trial.seed);
  const model = new MoE(pairsExperts(config, trial.seed), made.gate);
  const optimizer = new Adam(model.parameters(), { lr: config.lr });
  const gateInput = (x: Tensor, ids: Tensor): Tensor => (usesIds(name) ? ids : x);

  // `learning` is part of the signature: the step is another program once the permutation is fixed.
  const trainStep = compile((x: Tensor, target: Tensor, ids: Tensor, _learning: boolean) => {
    model.train();
    optimizer.zeroGrad();
    const { output, gate, regLoss } = model.forward(x, { gateInput: gateInput(x, ids) });
    const loss = mseLoss(output, target).add(regLoss);
    loss.backward();
    optimizer.step();
    const checks = { "gate weights": gate.weights.sum(), prediction: output.sum(), regularizer: regLoss, loss };
    const metrics = {
      support: gate.support.mean(),
      "zero leaves": gate.leafProbs.equal(0).cast("f32").mean(),
      regularizer: regLoss,
    };
    return { loss, checks, metrics };
  });
  const evaluate = compile((x: Tensor, target: Tensor, ids: Tensor) => {
    model.eval();
    const soft = model.forward(x, { gateInput: gateInput(x, ids) });
    const hard = model.forward(x, { gateInput: gateInput(x, ids), inference: "hard" });
    return {
      mse: mseLoss(soft.output, target),
      "mse hard": mseLoss(hard.output, target),
      support: soft.gate.support.mean(),
      "over k": soft.gate.support.greater(config.k).cast("f32").mean(),
      "hard support": hard.gate.support.max(),
      evaluations: soft.gate.weights.greater(0).sum().div(x.shape[0]),
      weights: soft.gate.weights,
      output: soft.output,
    };
  });

  const validation = toTensors(task.validation(config.validation));
  const measure = async () => {
    await made.search?.project();
    return evaluate(...validation);
  };
  const snapshots: { step: number; values: number[][] }[] = [];

  for (let step = 1; step <= trial.steps; step++) {
    const learning = (await made.search?.advance()) ?? false;
    if (made.search !== undefined && isSnapshotStep(step, searchSteps)) snapshots.push(await snapshot(made, step));
    const evaluating = step === 1 || step % config.evaluateEvery === 0 || step === trial.steps;
    // Before the update: what the untrained gate does is the first point of the curves.
    const before = step === 1 ? await measure() : undefined;
    const { loss, checks, metrics } = trainStep(...toTensors(task.batch(step - 1, config.batch)), learning);
    const value = loss.item();
    checkFinite(step, checks, value);
    const report: Record<string, number> = {};
    if (step === 1 || step % config.logEvery === 0) {
      report.loss = value;
      for (const [key, scalar] of Object.entries(metrics)) report[key] = scalar.item();
    }
    if (evaluating) {
      const found = before ?? (await measure());
      report["validation mse"] = found.mse.item();
      report["expert evaluations"] = found.evaluations.item();
    }
    await trial.step(step, report);
  }
  await record(trial, made, model, await measure(), validation[0]);
  if (made.search !== undefined) trial.keep("permutations", snapshots);
}

/** Snapshots of P: at the start, three times on the way, and when it is fixed. */
const isSnapshotStep = (step: number, searchSteps: number): boolean =>
  [0, 0.25, 0.5, 0.75].some((share) => step === 1 + Math.floor(share * (searchSteps - 1))) || step === searchSteps + 1;

async function snapshot({ search }: NamedGate, step: number): Promise<{ step: number; values: number[][] }> {
  if (search === undefined) throw new Error("no search to look at");
  const p = search.learning ? search.soft() : search.hard;
  await p.data();
  return { step, values: p.toArray() as number[][] };
}

type Measured = Readonly<Record<string, Tensor>>;

/** The numbers of the finished trial. */
async function record(trial: Trial, made: NamedGate, model: MoE, found: Measured, x: Tensor): Promise<void> {
  for (const name of ["mse", "mse hard", "support", "over k", "hard support", "evaluations"]) {
    trial.scalar(name, found[name].item());
  }
  // Skipping experts without weight must not change the output.
  const sparse = await sparseMixture(model.experts, found.weights, x);
  const dense = Array.from(found.output.dataSync());
  const skipped = Array.from(sparse.output.dataSync());
  const largest = Math.max(...dense.map(Math.abs));
  const difference = Math.max(...dense.map((value, i) => Math.abs(value - skipped[i])));
  trial.scalar("sparse error", difference / largest);
  trial.scalar("sparse evaluations", sparse.perSample);
  trial.keep("usage", found.weights.mean(0).toArray() as number[]);
  if (made.plain instanceof COMETGate) {
    trial.keep("trees", made.plain.nodeShares(x).t().toArray() as number[][]);
  }
}
