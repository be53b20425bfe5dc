// How models start: Delta's range, the release's redrawn linear layers, and how large each branch is at step 0.

import { beforeAll, expect, test } from "vitest";
import { setBackend, type Tensor } from "../../../engine/index.ts";
import { Linear } from "../../../nn/index.ts";
import { GMamba } from "../../../papers/sigma/model/gmamba.ts";
import { GRU4Rec, Mamba4Rec, type Recommender, SASRec, Sigma } from "../../../papers/sigma/model/index.ts";
import { i32, normals, values } from "../../nn/tools.ts";

beforeAll(() => setBackend("wasm"));

const rms = (x: Tensor): number => Math.sqrt(x.square().mean().item());

/** For normalised vectors, d = 64 and N = 32: sizes of M forwards and F, and of a3 F beside a1 Z. */
function branchNorms(init: "mamba" | "recbole"): {
  readonly mamba: number;
  readonly gru: number;
  readonly ratio: number;
} {
  const model = new Sigma({ items: 3, init }).initialize(1).eval();
  const { mixer } = model.layers[0];
  if (!(mixer instanceof GMamba)) throw new Error("SIGMA mixes with G-Mamba");
  const x = model.norm.forward(normals([16, 50, 64], 5).cast("f32"));
  const histories = { x, real: undefined, lengths: i32(new Array<number>(16).fill(50)) };
  const { forwards, features } = mixer.branches(histories, undefined);
  const gru = rms(features ?? x);
  return {
    mamba: rms(mixer.pfMamba.forward(histories, undefined).outputs.forwards),
    gru,
    ratio: (0.1 * gru) / (0.8 * rms(forwards)),
  };
}

test("redrawn as in the release, the GRU speaks 5 times as loud as Mamba at the start; drawn as Mamba, .38 times", () => {
  const released = branchNorms("recbole");
  expect(Math.abs(released.mamba / 0.0028 - 1)).toBeLessThan(0.15);
  expect(Math.abs(released.gru / 0.176 - 1)).toBeLessThan(0.1);
  expect(Math.abs(released.ratio / 5 - 1)).toBeLessThan(0.2);
  expect(Math.abs(branchNorms("mamba").ratio / 0.38 - 1)).toBeLessThan(0.2);
});

const named = (model: Recommender, end: string): Tensor => {
  const found = model.namedParameters().find(([name]) => name.endsWith(end));
  if (found === undefined) throw new Error(`no ${end}`);
  return found[1];
};
const deviation = (x: Tensor): number => x.std().item();

test("Delta starts in [0.001, 0.1], and A = -1, ..., -N", () => {
  const model = new Mamba4Rec({ items: 3 }).initialize(4);
  const delta = values(named(model, "dtProj.bias").softplus());
  expect(Math.min(...delta)).toBeGreaterThan(0.000999);
  expect(Math.max(...delta)).toBeLessThan(0.1001);
  // Spread by logarithm: the middle is near 0.01.
  const middle = delta.reduce((sum, v) => sum + Math.log10(v), 0) / delta.length;
  expect(Math.abs(middle + 2)).toBeLessThan(0.2);
  expect(values(named(model, "aLog").exp().round()).slice(32, 64)).toEqual(Array.from({ length: 32 }, (_, i) => i + 1));
  expect(values(named(model, ".d")).every((v) => v === 1)).toBe(true);
});

test("redrawn, at once and again by a seed: all linear layers N(0, 0.02^2) with bias 0, the rest as it was", () => {
  const model = new Sigma({ items: 50, init: "recbole" });
  for (const seeded of [false, true]) {
    if (seeded) model.initialize(7);
    const linears = model.modules().filter((module) => module instanceof Linear);
    expect(linears.length).toBeGreaterThan(8);
    for (const { weight, bias } of linears) {
      expect(deviation(weight)).toBeGreaterThan(0.016);
      expect(deviation(weight)).toBeLessThan(0.024);
      if (bias !== undefined) expect(values(bias).every((v) => v === 0)).toBe(true);
    }
    expect(deviation(named(model, "gru.cells.0.weightIh"))).toBeGreaterThan(0.05);
  }
  expect(deviation(named(new Sigma({ items: 3 }).initialize(1), "inProj.weight"))).toBeGreaterThan(0.06);
});

test("the padding row starts at zero, however often it is drawn; where it is scored, it is drawn like the others", () => {
  const models = [new Sigma({ items: 9 }), new SASRec({ items: 9 }), new GRU4Rec({ items: 9 })];
  for (const model of models) {
    for (let draw = 0; draw < 3; draw++) {
      const rows = model.table.weight.toArray() as number[][];
      expect(rows[0].every((v) => v === 0)).toBe(true);
      expect(rows.slice(1).every((row) => row.every((v) => v !== 0))).toBe(true);
      model.initialize(draw);
    }
  }
  const scored = new Sigma({ items: 9, padInSoftmax: true }).initialize(1).table.weight.toArray() as number[][];
  expect(scored[0].every((v) => v !== 0)).toBe(true);
});

test("models of one seed are equal, and their weights depend on names, not on what else is drawn", () => {
  const [a, b] = [new Sigma({ items: 5 }), new Sigma({ items: 5, gate: "off" })].map((model) => model.initialize(11));
  const others = new Map(b.namedParameters());
  for (const [name, parameter] of a.namedParameters()) {
    const same = others.get(name);
    if (same !== undefined) expect(values(same)).toEqual(values(parameter));
  }
  expect(others.size).toBeLessThan(a.namedParameters().length);
});
