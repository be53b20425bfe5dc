// The page: plays the random programs of the Node tests on a backend and on the oracle, and trains a little. What it
// finds is returned to the test that drives the browser.

import fc from "fast-check";
import * as S from "../../../engine/index.ts";
import { inputsOf, type Program, play, programs } from "../../../testing/index.ts";
import * as Whole from "../../support/whole-programs.ts";

export interface Wanted {
  readonly backend: "wasm" | "gpu";
  readonly mode?: Exclude<S.GpuMode, "auto">;
  readonly threads?: number;
  readonly seed: number;
  readonly programs: number;
  /** Units in the last place that a device may add to each step's error. */
  readonly slack: number;
}

export interface Found {
  readonly isolated: boolean;
  readonly threads: number;
  readonly info: S.GpuInfo | undefined;
  /** Elements compared. */
  readonly compared: number;
  readonly failures: readonly string[];
  readonly losses: readonly number[];
}

const compiled = (program: Program): Promise<S.HostArray[]> => {
  const run = S.compile((...inputs: S.Tensor[]) => play(program, inputs).map(({ x }) => x));
  return Promise.all(run(...inputsOf(program)).map((x) => x.data()));
};

async function train(steps: number): Promise<number[]> {
  S.manualSeed(3);
  const [w, v] = [S.randn([4, 8]), S.randn([8, 1])];
  w.requiresGrad = true;
  v.requiresGrad = true;
  await Promise.all([w.data(), v.data()]);
  const step = S.compile((x: S.Tensor, y: S.Tensor) => {
    w.grad = undefined;
    v.grad = undefined;
    const loss = S.mean(S.square(S.sub(S.matmul(S.tanh(S.matmul(x, w)), v), y)));
    loss.backward();
    S.assignAll([w, v].map((p) => [p, S.sub(p, S.mul(p.grad as S.Tensor, 0.1))] as const));
    return loss;
  });
  const losses: S.Tensor[] = [];
  for (let at = 0; at < steps; at++) {
    const x = S.tensor(
      Float32Array.from({ length: 32 }, (_, i) => Math.sin(i * 1.3 + at)),
      { shape: [8, 4] },
    );
    losses.push(step(x, S.sum(x, [1], { keepDims: true })));
  }
  return (await Promise.all(losses.map((loss) => loss.data()))).map(([loss]) => loss);
}

async function conform(wanted: Wanted): Promise<Found> {
  const cases = fc.sample(programs({ dtype: "f32" }), { numRuns: wanted.programs, seed: wanted.seed });
  await S.setBackend("reference");
  const expected: S.HostArray[][] = [];
  for (const program of cases) expected.push(await compiled(program));
  const wholes = fc.sample(Whole.recipes, { numRuns: wanted.programs / 2, seed: wanted.seed });
  const exact: number[][][] = [];
  for (const recipe of wholes) exact.push(await Whole.evaluate(recipe));
  const { mode } = wanted;
  await S.setBackend(wanted.backend, mode === undefined ? {} : { mode });
  if (wanted.threads !== undefined) S.setThreads(wanted.threads);
  const failures: string[] = [];
  let compared = 0;
  for (const [number, program] of cases.entries()) {
    const actual = await compiled(program);
    play(program, inputsOf(program)).forEach(({ error, bound, text }, i) => {
      const tolerance = error * wanted.slack * 2 ** -23 + (wanted.slack > 1 ? bound * 2 ** -22 : 0);
      const wrong = actual[i].findIndex((value, at) => !(Math.abs(value - expected[number][i][at]) <= tolerance));
      compared += actual[i].length;
      if (wrong < 0) return;
      failures.push(
        `program ${number}: ${actual[i][wrong]} instead of ${expected[number][i][wrong]} at ${wrong}: ${text}`,
      );
    });
  }
  for (const [i, recipe] of wholes.entries()) {
    (await Whole.evaluate(recipe)).forEach((values, step) => {
      compared += values.length;
      if (values.join() === exact[i][step].join()) return;
      const text = Whole.play(recipe)
        .texts.slice(0, step + 1)
        .join("; ");
      failures.push(
        `whole numbers: ${values} instead of ${exact[i][step]}: ${text} of ${JSON.stringify(recipe.leaves)}`,
      );
    });
  }
  const losses = await train(20);
  const found = { isolated: globalThis.crossOriginIsolated, threads: S.getThreads(), info: S.gpuInfo() };
  return { ...found, compared, failures, losses };
}

Object.assign(globalThis, { conform });
