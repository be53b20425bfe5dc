// Training on the device: state stays there, only losses come back, and they are those of the default backend.

import { afterAll, describe, expect, it } from "vitest";
import * as S from "../../../engine/index.ts";
import * as nn from "../../../nn/index.ts";
import { modes } from "./modes.ts";

afterAll(() => S.setBackend("reference"));

const steps = 50;
const batch = 16;

/** A classifier, everything in one compiled step; noise on its inputs makes it draw random numbers. */
function classifier() {
  S.manualSeed(11);
  const first = new nn.Linear(4, 24);
  const second = new nn.Linear(24, 3);
  const parameters = [...first.parameters(), ...second.parameters()];
  const optimizer = new nn.AdamW(parameters, { lr: 0.01 });
  const noise = S.generator(5, "noise");
  const step = S.compile((x: S.Tensor, y: S.Tensor) => {
    optimizer.zeroGrad();
    const jittered = S.add(x, S.mul(S.rand([batch, 4], { generator: noise }), 0.1));
    const loss = nn.crossEntropy(second.forward(S.tanh(first.forward(jittered))), y);
    loss.backward();
    optimizer.step();
    return loss;
  });
  return { step, parameters };
}

/** A small language model: embedding, one block of attention and feed-forward, AdamW, in one compiled step. */
async function trainLanguageModel(count: number): Promise<number[]> {
  S.manualSeed(5);
  const [words, size, length, rows] = [13, 16, 12, 4];
  const embedding = new nn.Embedding(words, size);
  const attention = new nn.MultiHeadAttention(size, { heads: 2, causal: true });
  const block = new nn.TransformerBlock(size, { attention, feedForward: new nn.FeedForward(size, 32) });
  const head = new nn.Linear(size, words);
  const parameters = [...embedding.parameters(), ...block.parameters(), ...head.parameters()];
  const optimizer = new nn.AdamW(parameters, { lr: 0.003 });
  const step = S.compile((x: S.Tensor, y: S.Tensor) => {
    optimizer.zeroGrad();
    const scores = head.forward(block.forward(embedding.forward(x)));
    const loss = nn.crossEntropy(S.reshape(scores, [rows * length, words]), S.reshape(y, [rows * length]));
    loss.backward();
    optimizer.step();
    return loss;
  });
  const text = (at: number, shift: number): S.Tensor => {
    const word = (row: number, place: number) => ((place + shift) * (1 + row) + at) % words;
    const ids = Int32Array.from({ length: rows * length }, (_, i) => word(Math.floor(i / length), i % length));
    return S.tensor(ids, { shape: [rows, length], dtype: "i32" });
  };
  const losses = Array.from({ length: count }, (_, at) => step(text(at, 0), text(at, 1)));
  return (await Promise.all(losses.map((loss) => loss.data()))).map(([loss]) => loss);
}

function batchOf(at: number): [S.Tensor, S.Tensor] {
  const x = Float32Array.from({ length: batch * 4 }, (_, i) => Math.sin(i * 1.7 + at));
  const y = Int32Array.from({ length: batch }, (_, i) => Math.abs(Math.round(x[i * 4] * 3 + x[i * 4 + 1])) % 3);
  return [S.tensor(x, { shape: [batch, 4] }), S.tensor(y, { dtype: "i32" })];
}

async function train(count: number): Promise<{ losses: number[]; parameters: S.Tensor[] }> {
  const { step, parameters } = classifier();
  const losses: S.Tensor[] = [];
  // Nothing is awaited between steps: each is queued on what the one before will leave.
  for (let at = 0; at < count; at++) losses.push(step(...batchOf(at)));
  const read = await Promise.all(losses.map((loss) => loss.data()));
  return { losses: read.map(([loss]) => loss), parameters };
}

describe.each(modes)("mode %s", (mode) => {
  it("follows the loss curve of wasm", async () => {
    await S.setBackend("wasm");
    const expected = await train(steps);
    await S.setBackend("gpu", { mode });
    const actual = await train(steps);
    expect(actual.losses[steps - 1]).toBeLessThan(actual.losses[0]);
    expected.losses.forEach((loss, i) => {
      expect(Math.abs(actual.losses[i] - loss) / loss, `step ${i}`).toBeLessThan(1e-3);
    });
  });

  it("follows the loss curve of a language model", async () => {
    await S.setBackend("wasm");
    const expected = await trainLanguageModel(steps);
    await S.setBackend("gpu", { mode });
    const actual = await trainLanguageModel(steps);
    expect(S.gpuInfo()?.readbacks).toBe(steps);
    expect(actual[steps - 1]).toBeLessThan(actual[0]);
    expected.forEach((loss, i) => {
      expect(Math.abs(actual[i] - loss) / loss, `step ${i}`).toBeLessThan(1e-3);
    });
  });

  it("reads back the losses and nothing else", async () => {
    await S.setBackend("gpu", { mode });
    await train(20);
    expect(S.gpuInfo()?.readbacks).toBe(20);
  });

  it("frees what a step leaves but its loss", async () => {
    await S.setBackend("gpu", { mode });
    const { step } = classifier();
    const losses: S.Tensor[] = [];
    const buffersAfter = async (count: number): Promise<number> => {
      while (losses.length < count) losses.push(step(...batchOf(losses.length)));
      await losses[count - 1].data();
      return S.gpuInfo()?.buffers ?? Number.NaN;
    };
    const before = await buffersAfter(5);
    expect((await buffersAfter(25)) - before).toBe(20);
  });

  it("keeps values when another backend takes over", async () => {
    await S.setBackend("gpu", { mode });
    const { parameters } = await train(2);
    const sums = await Promise.all(parameters.map(async (p) => (await S.sum(p).data())[0]));
    await S.setBackend("wasm");
    parameters.forEach((p, i) => {
      expect(S.sum(p).item()).toBeCloseTo(sums[i], 4);
    });
  });

  it("steps an optimizer outside compile()", async () => {
    await S.setBackend("gpu", { mode });
    const w = S.tensor([1, -2, 3], { requiresGrad: true });
    const sgd = new nn.SGD([w], { lr: 0.1 });
    for (let i = 0; i < 3; i++) {
      sgd.zeroGrad();
      S.sum(S.mul(w, w)).backward();
      await sgd.step();
    }
    expect(Array.from(await w.data())).toEqual([0.512, -1.024, 1.536].map((x) => expect.closeTo(x, 5)));
  });
});
