// The experiment on expert gates runs on gpu.js with the curves it has on the default backend. It reads its losses
// synchronously, so the modes that are asynchronous are left out.

import { afterAll, expect, it } from "vitest";
import * as S from "../../../engine/index.ts";
import { configs } from "../../../papers/comet/config.ts";
import { comet } from "../../../papers/comet/index.ts";
import type { Paper } from "../../../papers/paper.ts";
import { runPaper } from "../../../papers/runner.ts";

afterAll(() => S.setBackend("reference"));

const { pairs, recovery, digits } = configs.quick;
const config = {
  pairs: { ...pairs, gates: ["comet", "topk"] as const, steps: 50, batch: 32, validation: 100, logEvery: 1 },
  recovery: { ...recovery, arms: [] },
  digits: { ...digits, seeds: 0 },
};
const paper = { ...comet, configs: { quick: config, default: config, full: config } } as unknown as Paper;

const curves = async (): Promise<(readonly number[])[]> => {
  const { result, error } = await runPaper(paper, {
    ...{ mode: "quick", backend: "wasm", seedCount: 1 },
    ...{ signal: new AbortController().signal, onProgress: () => undefined, log: () => undefined },
  });
  expect(error).toBeUndefined();
  return result.trials.map(({ series }) => series.loss.values);
};

it("trains COMET and top-k with the loss curves of wasm", { timeout: 120_000 }, async () => {
  await S.setBackend("wasm");
  const expected = await curves();
  await S.setBackend("gpu", { mode: "webasm" });
  const actual = await curves();
  expect(expected.map((curve) => curve.length)).toEqual([50, 50]);
  expected.forEach((curve, trial) => {
    curve.forEach((loss, step) => {
      expect(Math.abs(actual[trial][step] - loss) / loss, `trial ${trial}, step ${step}`).toBeLessThan(1e-3);
    });
  });
});
