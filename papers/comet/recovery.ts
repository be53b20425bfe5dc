// Task B: fixed experts behind a shuffled gate; only the permutation is trained. Does it find the shuffle?

import { compile, oneHot, type Tensor, tensor } from "../../engine/index.ts";
import { HashGate, MLPExperts, MoE, PermutationSearch } from "../../moe/index.ts";
import { Adam, init, mseLoss, Stream } from "../../nn/index.ts";
import type { Trial } from "../paper.ts";
import { type RecoveryConfig, recoveryArm } from "./config.ts";
import { checkFinite } from "./gates.ts";

const inputDim = 8;
const outputDim = 4;
/** When P is looked at, as parts of the run: most happens early. */
const snapshotShares = [0, 0.03, 0.06, 0.12, 0.5];

export async function runRecovery(trial: Trial, config: RecoveryConfig): Promise<void> {
  const arm = config.arms.find(({ nExperts, preset }) => recoveryArm(nExperts, preset) === trial.arm);
  if (arm === undefined) throw new Error(`task B has no arm "${trial.arm}"`);
  const { nExperts: n, preset } = arm;
  const seed = 100 + trial.seed;
  const experts = new MLPExperts({
    nExperts: n,
    sizes: [inputDim, outputDim],
    bias: false,
    weightInit: () => init.normal(0, Math.sqrt(1 / inputDim)),
  }).initialize(seed);
  for (const weight of experts.parameters()) weight.requiresGrad = false;

  // The gate is one-hot: output j is 1 where the cluster is shuffle[j].
  const shuffle = new Stream(seed, "shuffle").permutation(n);
  const gate = new HashGate({ nIds: n, nExperts: n });
  gate.table.copyFrom(Int32Array.from({ length: n }, (_, cluster) => shuffle.indexOf(cluster)));
  const search = new PermutationSearch({ nExperts: n, iterations: config.steps, preset }).initialize(seed);
  const model = new MoE(experts, search.wrap(gate));
  const optimizer = new Adam([search.logits], { lr: config.lr });

  const trainStep = compile((x: Tensor, cluster: Tensor) => {
    model.train();
    optimizer.zeroGrad();
    const target = experts.forward(x).mul(oneHot(cluster, n).t().unsqueeze(-1)).sum(0);
    const { output, regLoss } = model.forward(x, { gateInput: cluster });
    const error = mseLoss(output, target);
    const loss = error.add(regLoss);
    loss.backward();
    optimizer.step();
    return { loss, checks: { prediction: output.sum(), regularizer: regLoss, loss }, error };
  });

  const data = new Stream(seed, "training");
  const snapshots: { step: number; values: number[][] }[] = [];
  for (let step = 1; step <= trial.steps; step++) {
    await search.advance();
    if (snapshotShares.some((share) => step === 1 + Math.floor(share * trial.steps))) {
      snapshots.push({ step, values: search.soft().toArray() as number[][] });
    }
    const x = Float32Array.from({ length: config.batch * inputDim }, () => data.normal());
    const cluster = Int32Array.from({ length: config.batch }, () => data.integer(n));
    const { loss, checks, error } = trainStep(tensor(x, { shape: [config.batch, inputDim] }), tensor(cluster));
    checkFinite(step, checks, loss.item());
    await trial.step(step, step === 1 || step % config.logEvery === 0 ? { error: error.item() } : {});
  }
  await search.harden();
  const found = search.hard.toArray() as number[][];
  const right = shuffle.filter((cluster, j) => found[j][cluster] === 1).length;
  trial.scalar("recovered", right === n ? 1 : 0);
  trial.scalar("right", right / n);
  const truth = shuffle.map((cluster) => Array.from({ length: n }, (_, l) => (l === cluster ? 1 : 0)));
  trial.keep("permutations", [...snapshots, { step: trial.steps + 1, values: found }]);
  trial.keep("truth", truth);
}
