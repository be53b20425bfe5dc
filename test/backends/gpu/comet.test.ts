// The experiment on expert gates trains on gpu.js with the curves it has on the default backend. The paper's own loop
// reads its losses synchronously, so where the device is asynchronous the same model and data run in a loop that does not.

import { afterAll, describe, expect, it } from "vitest";
import * as S from "../../../engine/index.ts";
import { MoE } from "../../../moe/index.ts";
import { Adam, mseLoss } from "../../../nn/index.ts";
import { configs } from "../../../papers/comet/config.ts";
import { makeGate } from "../../../papers/comet/gates.ts";
import { comet } from "../../../papers/comet/index.ts";
import { pairsExperts } from "../../../papers/comet/pairs.ts";
import { idCount, inputDim, PairsTask, toTensors } from "../../../papers/comet/pairs-data.ts";
import type { Paper } from "../../../papers/paper.ts";
import { runPaper } from "../../../papers/runner.ts";
import { modes } from "./modes.ts";

afterAll(() => S.setBackend("reference"));

const { pairs, recovery, digits } = configs.quick;
const gates = ["comet", "topk"] as const;
const steps = 50;
const config = {
  pairs: { ...pairs, gates, steps, batch: 32, validation: 100, logEvery: 1 },
  recovery: { ...recovery, arms: [] },
  digits: { ...digits, seeds: 0 },
};
const paper = { ...comet, configs: { quick: config, default: config, full: config } } as unknown as Paper;

const paperCurves = async (): Promise<(readonly number[])[]> => {
  const { result, error } = await runPaper(paper, {
    ...{ mode: "quick", backend: "wasm", seedCount: 1 },
    ...{ signal: new AbortController().signal, onProgress: () => undefined, log: () => undefined },
  });
  expect(error).toBeUndefined();
  return result.trials.map(({ series }) => series.loss.values);
};

/** The paper's training step, its losses read together at the end. */
async function queuedCurve(name: (typeof gates)[number]): Promise<number[]> {
  const seed = comet.seeds.quick[0];
  const task = new PairsTask(seed);
  const { gate } = makeGate(name, { ...config.pairs, inputDim, searchSteps: 0, ids: idCount }, seed);
  const model = new MoE(pairsExperts(config.pairs, seed), gate);
  const optimizer = new Adam(model.parameters(), { lr: config.pairs.lr });
  const step = S.compile((x: S.Tensor, target: S.Tensor) => {
    model.train();
    optimizer.zeroGrad();
    const { output, regLoss } = model.forward(x, { gateInput: x });
    const loss = mseLoss(output, target).add(regLoss);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const losses = Array.from({ length: steps }, (_, at) => {
    const [x, target] = toTensors(task.batch(at, config.pairs.batch));
    return step(x, target);
  });
  return (await Promise.all(losses.map((loss) => loss.data()))).map(([loss]) => loss);
}

const queuedCurves = async (): Promise<number[][]> => {
  const curves: number[][] = [];
  for (const name of gates) curves.push(await queuedCurve(name));
  return curves;
};

function agree(actual: readonly (readonly number[])[], expected: readonly (readonly number[])[]): void {
  expect(expected.map((curve) => curve.length)).toEqual(gates.map(() => steps));
  expected.forEach((curve, trial) => {
    curve.forEach((loss, step) => {
      expect(Math.abs(actual[trial][step] - loss) / loss, `trial ${trial}, step ${step}`).toBeLessThan(1e-3);
    });
  });
}

describe("COMET and top-k have the loss curves of wasm", () => {
  it("in the paper's own run, in a mode that is synchronous", { timeout: 120_000 }, async () => {
    await S.setBackend("wasm");
    const expected = await paperCurves();
    await S.setBackend("gpu", { mode: "webasm" });
    agree(await paperCurves(), expected);
  });

  it.runIf(modes.includes("webgpu"))("on webgpu, reading back nothing but losses", { timeout: 120_000 }, async () => {
    await S.setBackend("wasm");
    const expected = await queuedCurves();
    await S.setBackend("gpu", { mode: "webgpu" });
    agree(await queuedCurves(), expected);
    expect(S.gpuInfo()?.readbacks).toBe(gates.length * steps);
  });
});
