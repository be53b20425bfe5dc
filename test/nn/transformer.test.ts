// Transformer blocks: their equations, gradients, and what is random in them.

import { beforeAll, describe, expect, test } from "vitest";
import { compile, setBackend, type Tensor, tensor } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { checkModule, close, i32, normals, values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

const dtype = "f64";

describe("Transformer blocks", () => {
  const block = (order: "pre" | "post" | "sandwich", cross: boolean): nn.TransformerBlock =>
    new nn.TransformerBlock(2, {
      attention: new nn.MultiHeadAttention(2, { heads: 1, causal: true, dtype }),
      crossAttention: cross ? new nn.MultiHeadAttention(2, { heads: 1, dtype }) : undefined,
      feedForward: new nn.GatedFeedForward(2, 3, { dtype }),
      norm: (size) => new nn.RMSNorm(size, { dtype }),
      order,
      layerScale: 0.5,
      dtype,
    });

  for (const order of ["pre", "post", "sandwich"] as const) {
    test(`${order}: its equation, and gradients`, () => {
      const one = block(order, false).initialize(1);
      const x = normals([1, 2, 2], 1);
      const branch = (h: Tensor, residual: nn.Residual, f: (h: Tensor) => Tensor): Tensor => {
        const n = (v: Tensor): Tensor => residual.norm.forward(v);
        if (order === "post") return n(h.add(f(h).mul(0.5)));
        const y = f(n(h));
        return h.add((order === "sandwich" ? (residual.outNorm as nn.Module).forward(y) : y).mul(0.5));
      };
      const h = branch(x, one.attentionResidual, (v) => one.attention.forward(v));
      close(one.forward(x), values(branch(h, one.feedForwardResidual, (v) => one.feedForward.forward(v))), 1e-12);
      checkModule(one, [x], (v) => one.forward(v));
    });
  }

  test("cross-attention sees the context, masked; dropout and drop path act in training only", () => {
    const one = block("pre", true).initialize(1);
    const [x, context] = [normals([2, 3, 2], 1), normals([2, 2, 2], 2)];
    const first = one.forward(x, {
      context,
      contextMask: tensor([
        [true, false],
        [true, false],
      ]),
    });
    close(first, values(one.forward(x, { context: context.narrow(1, 0, 1) })), 1e-12);
    const noisy = new nn.TransformerBlock(2, {
      attention: new nn.MultiHeadAttention(2, { heads: 1, dropout: 0.5, dtype }),
      feedForward: new nn.FeedForward(2, 3, { dropout: 0.5, dtype }),
      dropout: 0.5,
      dropPath: 0.5,
      dtype,
    }).initialize(1);
    expect(values(noisy.forward(x))).not.toEqual(values(noisy.forward(x)));
    noisy.eval();
    expect(values(noisy.forward(x))).toEqual(values(noisy.forward(x)));
  });
});

test("a decoder with tied embeddings writes with its caches what it would write without", () => {
  class Decoder extends nn.Module<[ids: Tensor, caches?: readonly nn.KVCache[]]> {
    readonly embedding = new nn.Embedding(7, 4, { dtype });
    readonly blocks = [0, 1].map(
      () =>
        new nn.TransformerBlock(4, {
          attention: new nn.MultiHeadAttention(4, {
            heads: 2,
            kvHeads: 1,
            causal: true,
            rotary: new nn.RotaryEmbedding(2),
            dtype,
          }),
          feedForward: new nn.GatedFeedForward(4, 8, { dtype }),
          norm: (size) => new nn.RMSNorm(size, { dtype }),
        }),
    );

    override forward(ids: Tensor, caches?: readonly nn.KVCache[]): Tensor {
      const hidden = this.blocks.reduce(
        (h, block, i) => block.forward(h, { cache: caches?.[i] }),
        this.embedding.forward(ids),
      );
      return this.embedding.attend(hidden);
    }
  }
  const model = new Decoder().initialize(3);
  const caches = model.blocks.map(() => new nn.KVCache({ batch: 1, heads: 1, capacity: 12, size: 2, dtype }));
  const next = compile((ids: Tensor) => model.forward(ids, caches).select(1, -1));
  const written = [1, 5, 2];
  let logits = next(i32([written]));
  for (let t = 0; t < 8; t++) {
    close(logits, values(model.forward(i32([written])).select(1, -1)), 1e-12);
    written.push(logits.argmax(-1).item());
    logits = next(i32([[written[written.length - 1]]]));
  }
  expect(next.traces).toBe(2);
  expect(nn.summary(model)).toMatch(/^Decoder\nname .*\nembedding.weight +f64 +\[7, 4\] +28\n/);
});

test("a cache that is full says so, in a compiled step too", () => {
  const attention = new nn.MultiHeadAttention(2, { heads: 1, causal: true });
  const full = /index 2 is out of range for axis 0 of length 2/;
  for (const wrap of [(fn: (x: Tensor) => Tensor) => fn, (fn: (x: Tensor) => Tensor) => compile(fn)]) {
    const cache = new nn.KVCache({ batch: 1, heads: 1, capacity: 2, size: 2 });
    const step = wrap((x) => attention.forward(x, { cache }));
    const token = normals([1, 1, 2], 0).cast("f32");
    step(token).dataSync();
    step(token).dataSync();
    expect(() => step(token).dataSync()).toThrow(full);
    cache.clear();
    step(token).dataSync();
  }
});

test("feed-forward networks start as they are told", () => {
  const weightInit = nn.init.constant(0.25);
  for (const network of [new nn.FeedForward(2, 3, { weightInit }), new nn.GatedFeedForward(2, 3, { weightInit })]) {
    const weights = network
      .initialize(1)
      .namedParameters()
      .filter(([name]) => name.endsWith("weight"));
    expect(weights.flatMap(([, weight]) => values(weight)).every((value) => value === 0.25)).toBe(true);
    expect(weights.length).toBe(network instanceof nn.FeedForward ? 2 : 3);
  }
});
