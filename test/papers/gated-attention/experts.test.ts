// The mixture-of-experts feed-forward: what loops over tokens and experts say, the losses of 2.6, SwitchHead's choice.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compile, setBackend, type Tensor } from "../../../engine/index.ts";
import { AdamW, crossEntropy, Stream } from "../../../nn/index.ts";
import { ExpertFeedForward, loadBalanceLoss, routerZLoss } from "../../../papers/gated-attention/experts.ts";
import { TransformerLM } from "../../../papers/gated-attention/model.ts";
import { checkModule, close, f64, i32, normals } from "../../nn/tools.ts";

beforeAll(() => setBackend("reference"));

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, v, i) => sum + v * b[i], 0);
const matrix = (x: Tensor): number[][] => x.toArray() as number[][];
const matrices = (x: Tensor): number[][][] => x.toArray() as number[][][];
const make = (experts: number, topK: number, seed: number): ExpertFeedForward =>
  new ExpertFeedForward(3, { experts, topK, hidden: 2, initStd: 0.8, dtype: "f64" }).initialize(seed);

/** sum over the topK experts of p_e / sum p * SwiGLU_e(x), token by token. */
function byLoops(layer: ExpertFeedForward, x: readonly number[]): number[] {
  const powers = matrix(layer.gate.weight).map((row) => Math.exp(dot(row, x)));
  const chosen = powers
    .map((_, e) => e)
    .sort((a, b) => powers[b] - powers[a])
    .slice(0, layer.topK);
  const total = chosen.reduce((sum, e) => sum + powers[e], 0);
  const [gates, ups, downs] = [layer.gateProj, layer.upProj, layer.downProj].map(matrices);
  return x.map((_, i) =>
    chosen.reduce((sum, e) => {
      const hidden = gates[e].map((row, f) => {
        const gate = dot(row, x);
        return (gate / (1 + Math.exp(-gate))) * dot(ups[e][f], x);
      });
      return sum + (powers[e] / total) * dot(downs[e][i], hidden);
    }, 0),
  );
}

describe("experts", () => {
  test("are what the loops say", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.nat(4), fc.nat(99), (experts, k, seed) => {
        const layer = make(experts, 1 + (k % experts), seed);
        const x = normals([2, 3, 3], seed);
        const expected = matrices(x)
          .flat()
          .flatMap((token) => byLoops(layer, token));
        close(layer.forward(x).output, expected, 1e-12);
      }),
      { numRuns: 20 },
    );
  });

  test("and the losses of their router have gradients to second order", () => {
    const layer = make(3, 2, 4);
    checkModule(layer, [normals([1, 2, 3], 5)], (x) => {
      const { output, routing } = layer.forward(x);
      return [output, loadBalanceLoss(routing), routerZLoss(routing)];
    });
  });

  test("refuse more choices than there are", () => {
    expect(() => make(2, 3, 0)).toThrow(/topK must be from 1 to experts = 2, got 3/);
    expect(() => make(2, 0, 0)).toThrow(/topK must be from 1 to experts = 2, got 0/);
  });
});

describe("router losses", () => {
  test("balance is 1 where choices and probabilities are even, and E where one expert has everything", () => {
    const even = {
      logits: f64([[0, 0]]),
      probabilities: f64([
        [0.5, 0.5],
        [0.5, 0.5],
      ]),
      chosen: i32([[0], [1]]),
    };
    expect(loadBalanceLoss(even).item()).toBeCloseTo(1, 12);
    const one = {
      ...even,
      probabilities: f64([
        [1, 0],
        [1, 0],
      ]),
      chosen: i32([[0], [0]]),
    };
    expect(loadBalanceLoss(one).item()).toBeCloseTo(2, 12);
    // Three of four choices fall on expert 0: 2 (3/4 * 0.6 + 1/4 * 0.4).
    const uneven = {
      ...even,
      probabilities: f64([
        [0.8, 0.2],
        [0.4, 0.6],
      ]),
      chosen: i32([
        [0, 1],
        [0, 0],
      ]),
    };
    expect(loadBalanceLoss(uneven).item()).toBeCloseTo(2 * (0.75 * 0.6 + 0.25 * 0.4), 12);
  });

  test("z is the mean squared logsumexp of the logits", () => {
    const logits = normals([4, 3], 1);
    const expected = matrix(logits).map((row) => Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0)) ** 2);
    const routing = { logits, probabilities: logits.softmax(-1), chosen: i32([[0], [1], [2], [0]]) };
    expect(routerZLoss(routing).item()).toBeCloseTo(expected.reduce((a, b) => a + b) / 4, 12);
  });
});

test("a mixture with gated attention trains, its routers' losses included", async () => {
  await setBackend("wasm");
  const feedForward = { experts: 4, topK: 2, hidden: 8 };
  const sizes = { vocabSize: 5, nLayers: 2, dModel: 8, nHeads: 2, nKvHeads: 1, headDim: 4, feedForward };
  const model = new TransformerLM({ ...sizes, gate: { position: "G1" }, tied: false, seed: 0 });
  const optimizer = new AdamW(model.parameters(), { lr: 1e-2 });
  const step = compile((ids: Tensor, next: Tensor) => {
    optimizer.zeroGrad();
    const { logits, layers } = model.inspect(ids);
    const routings = layers.flatMap(({ routing }) => (routing === undefined ? [] : [routing]));
    const balance = routings.map(loadBalanceLoss).reduce((sum, one) => sum.add(one));
    const z = routings.map(routerZLoss).reduce((sum, one) => sum.add(one));
    const loss = crossEntropy(logits.reshape([-1, 5]), next.reshape([-1]));
    loss.add(balance.mul(1e-2)).add(z.mul(1e-3)).backward();
    optimizer.step();
    return { loss, balance };
  });
  // Every token is followed by the next one: what attention and experts need no time to learn.
  const start = new Stream(0, "starts");
  const rows = Array.from({ length: 40 }, () => Array.from({ length: 8 }, () => start.integer(5)));
  const run = rows.map((starts) => {
    const ids = starts.map((first) => Array.from({ length: 6 }, (_, t) => (first + t) % 5));
    const found = step(i32(ids), i32(ids.map((row) => row.map((id) => (id + 1) % 5))));
    return { loss: found.loss.item(), balance: found.balance.item() };
  });
  expect(run[0].loss).toBeCloseTo(Math.log(5), 1);
  expect(run[39].loss).toBeLessThan(0.5);
  // Two routers: each is at least 1 where choices follow probabilities, and 2 where one pair of the four experts has everything.
  expect(run[39].balance / 2).toBeLessThan(1.5);
  await setBackend("reference");
});
