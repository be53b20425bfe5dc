// Training steps of every model, dropout and masks included: what the compiled backend does is what the oracle does.

import { expect, test } from "vitest";
import { compile, manualSeed, setBackend, type Tensor } from "../../../engine/index.ts";
import { Adam } from "../../../nn/index.ts";
import {
  BERT4Rec,
  GRU4Rec,
  Mamba4Rec,
  padHistories,
  type Recommender,
  SASRec,
  Sigma,
} from "../../../papers/sigma/model/index.ts";
import { close, i32, values } from "../../nn/tools.ts";

const small = { items: 8, maxLength: 5, size: 4, states: 2, kept: 2, dtype: "f64" } as const;
const attention = { items: 8, maxLength: 5, size: 4, heads: 2, inner: 4, dtype: "f64" } as const;

/** Losses of five steps, and all parameters after them. */
async function trained(
  make: () => Recommender,
  backend: "wasm" | "reference",
): Promise<{ losses: number[]; ends: number[] }> {
  await setBackend(backend);
  manualSeed(9);
  const model = make().initialize(2).train();
  const optimizer = new Adam(model.parameters(), { lr: 0.02 });
  const step = compile((ids: Tensor, lengths: Tensor, targets: Tensor) => {
    optimizer.zeroGrad();
    const loss = model.loss(ids, lengths, targets);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const { ids, lengths } = padHistories([[1, 2, 3, 4, 5], [6], [7, 1, 3]], small.items, small.maxLength);
  const losses = Array.from({ length: 5 }, () => step(ids, lengths, i32([6, 7, 2])).item());
  return { losses, ends: model.parameters().flatMap(values) };
}

test.each<[string, () => Recommender]>([
  ["SIGMA", () => new Sigma(small)],
  ["SIGMA of two layers, as released", () => new Sigma({ ...small, layers: 2, gate: "release", flipMode: "padded" })],
  ["Mamba4Rec", () => new Mamba4Rec(small)],
  ["GRU4Rec", () => new GRU4Rec({ ...small, hidden: 3 })],
  ["SASRec", () => new SASRec(attention)],
  ["BERT4Rec", () => new BERT4Rec(attention)],
])("%s", async (_, make) => {
  const [compiled, oracle] = [await trained(make, "wasm"), await trained(make, "reference")];
  close(compiled.losses, oracle.losses, 1e-9);
  close(compiled.ends, oracle.ends, 1e-7);
  expect(new Set(oracle.losses).size).toBe(5);
});
