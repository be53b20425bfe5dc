// Files of others: both fused layouts, row by row and as the layer they stand for; Qwen3's names through safetensors.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors, setBackend, type Tensor, tensor } from "../../../engine/index.ts";
import { GatedAttention } from "../../../papers/gated-attention/attention.ts";
import {
  exportFused,
  type FusedLayout,
  fuse,
  fusedRows,
  importFused,
  unfuse,
} from "../../../papers/gated-attention/fused.ts";
import { TransformerLM } from "../../../papers/gated-attention/model.ts";
import { loadPublished, publishedState } from "../../../papers/gated-attention/published.ts";
import { close, normals, values } from "../../nn/tools.ts";
import { attentionOf, getParameter, randomIds, tinyOptions } from "./tools.ts";

beforeAll(() => setBackend("reference"));

const layouts: readonly FusedLayout[] = ["grouped", "per-head"];
const ids = tensor(Int32Array.from(randomIds(6, 7, 0)), { shape: [2, 3] });

describe("rows", () => {
  const sizes = { nHeads: 4, nKvHeads: 2, headDim: 2 };
  const [q, gate] = [
    (h: number, c: number) => 2 * h + c,
    (width: number) => (h: number, c: number) => 8 + width * h + c,
  ];

  test("grouped, elementwise: a group's queries, then its gates", () => {
    const g = gate(2);
    const group = (a: number, b: number) => [q(a, 0), q(a, 1), q(b, 0), q(b, 1), g(a, 0), g(a, 1), g(b, 0), g(b, 1)];
    expect(fusedRows("grouped", { ...sizes, width: 2 })).toEqual([...group(0, 1), ...group(2, 3)]);
  });

  test("grouped, headwise", () => {
    const g = gate(1);
    const group = (a: number, b: number) => [q(a, 0), q(a, 1), q(b, 0), q(b, 1), g(a, 0), g(b, 0)];
    expect(fusedRows("grouped", { ...sizes, width: 1 })).toEqual([...group(0, 1), ...group(2, 3)]);
    // Six heads that share three keys, and six that share two.
    const wide = (nKvHeads: number): number[] => fusedRows("grouped", { nHeads: 6, nKvHeads, headDim: 1, width: 1 });
    expect(wide(3)).toEqual([0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
    expect(wide(2)).toEqual([0, 1, 2, 6, 7, 8, 3, 4, 5, 9, 10, 11]);
    // As published: gates of the first group are rows 4 and 5, of the second 10 and 11.
    expect([4, 5, 10, 11].map((row) => fusedRows("grouped", { ...sizes, width: 1 })[row])).toEqual([8, 9, 10, 11]);
  });

  test("per head, elementwise: a head's query, then its gate", () => {
    const g = gate(2);
    const head = (h: number): number[] => [q(h, 0), q(h, 1), g(h, 0), g(h, 1)];
    expect(fusedRows("per-head", { ...sizes, width: 2 })).toEqual([0, 1, 2, 3].flatMap(head));
  });

  test("there and back, for all sizes", () => {
    const anySizes = fc.record({
      nKvHeads: fc.integer({ min: 1, max: 3 }),
      group: fc.integer({ min: 1, max: 3 }),
      headDim: fc.integer({ min: 1, max: 4 }),
      elementwise: fc.boolean(),
      layout: fc.constantFrom(...layouts),
    });
    fc.assert(
      fc.property(anySizes, ({ nKvHeads, group, headDim, elementwise, layout }) => {
        const all = { nHeads: nKvHeads * group, nKvHeads, headDim, width: elementwise ? headDim : 1 };
        const query = normals([all.nHeads * headDim, 3], 1);
        const weight = normals([all.nHeads * all.width, 3], 2);
        const fused = fuse(query, weight, layout, all);
        expect(fused.shape[0]).toBe(query.shape[0] + weight.shape[0]);
        const apart = unfuse(fused, layout, all);
        expect(values(apart.query)).toEqual(values(query));
        expect(values(apart.gate)).toEqual(values(weight));
      }),
      { numRuns: 40 },
    );
  });
});

/** What the released code computes from a fused matrix: one product, split per group (or head), gate and query apart. */
function splitOutput(fused: Tensor, x: Tensor, layout: FusedLayout, [heads, kv, size, width]: readonly number[]) {
  const blocks = layout === "grouped" ? kv : heads;
  const perBlock = heads / blocks;
  const [batch, steps] = x.shape;
  const out = x.matmul(fused.t()).reshape([batch, steps, blocks, -1]);
  const queries = out.narrow(3, 0, perBlock * size).reshape([batch, steps, heads, size]);
  const gates = out.narrow(3, perBlock * size, perBlock * width).reshape([batch, steps, heads, width]);
  return { queries, gates };
}

describe("a layer", () => {
  test.each(layouts)("%s: splitting the product of the fused matrix gives the layer's queries and scores", (layout) => {
    for (const [name, width] of [
      ["g1-elementwise", 2],
      ["g1-headwise", 1],
    ] as const) {
      const layer = attentionOf(tinyOptions(name), 4);
      const x = normals([2, 3, 4], 5);
      const { queries, gates } = splitOutput(exportFused(layer, layout), x, layout, [4, 2, 2, width]);
      close(queries, values(layer.qProj.forward(x)), 1e-12);
      const { scores } = layer.inspect(x);
      close(gates.sigmoid(), values(scores ?? x), 1e-12);
    }
  });

  test.each(layouts)("%s: a layer that imports what another exports is that layer", async (layout) => {
    const from = attentionOf(tinyOptions("g1-elementwise"), 4);
    const to = attentionOf(tinyOptions("g1-elementwise"), 4);
    for (const p of [to.qProj.weight, getParameter(to, "gate.proj.weight")]) p.copyFrom(new Float64Array(p.size));
    const x = normals([2, 3, 4], 5);
    expect(values(to.forward(x))).not.toEqual(values(from.forward(x)));
    await importFused(to, exportFused(from, layout), layout);
    expect(values(to.forward(x))).toEqual(values(from.forward(x)));
  });

  test("refuses what cannot be fused, or does not fit", async () => {
    const notFusible = [
      attentionOf(tinyOptions("baseline")),
      attentionOf(tinyOptions("g2-elementwise")),
      attentionOf(tinyOptions("g5-elementwise")),
      attentionOf(tinyOptions("g1-const")),
      attentionOf(tinyOptions("g1-elementwise", { gateBias: 1 })),
      attentionOf(tinyOptions("g1-elementwise", { gateInputDims: 2 })),
    ];
    for (const layer of notFusible)
      expect(() => exportFused(layer, "grouped")).toThrow(
        /needs a gate at G1 that reads all of the input, without bias/,
      );
    const layer = attentionOf(tinyOptions("g1-headwise"));
    await expect(importFused(layer, normals([16, 4], 0), "grouped")).rejects.toThrow(/12 rows here, got \[16, 4\]/);
    await expect(importFused(layer, normals([12, 3], 0), "grouped")).rejects.toThrow(/4 columns, got \[12, 3\]/);
  });
});

describe("files with Qwen3's names", () => {
  test("hold exactly these tensors", async () => {
    const options = tinyOptions("g1-elementwise", { nLayers: 1 });
    const file = await publishedState(new TransformerLM(options), { fusedLayout: "grouped" });
    expect(Object.fromEntries(Object.entries(file).map(([name, x]) => [name, x.shape]))).toEqual({
      "model.embed_tokens.weight": [7, 4],
      "model.layers.0.input_layernorm.weight": [4],
      "model.layers.0.self_attn.q_proj.weight": [16, 4],
      "model.layers.0.self_attn.k_proj.weight": [4, 4],
      "model.layers.0.self_attn.v_proj.weight": [4, 4],
      "model.layers.0.self_attn.o_proj.weight": [4, 8],
      "model.layers.0.self_attn.q_norm.weight": [2],
      "model.layers.0.self_attn.k_norm.weight": [2],
      "model.layers.0.post_attention_layernorm.weight": [4],
      "model.layers.0.mlp.gate_proj.weight": [3, 4],
      "model.layers.0.mlp.up_proj.weight": [3, 4],
      "model.layers.0.mlp.down_proj.weight": [4, 3],
      "model.norm.weight": [4],
    });
  });

  test("load, through the bytes of a safetensors file: dense and experts, tied or not, fused or apart", async () => {
    const cases = [
      { name: "g1-elementwise", fusedLayout: "grouped", tied: true },
      { name: "g1-elementwise", fusedLayout: "per-head", tied: false },
      { name: "g1-headwise", fusedLayout: "grouped", tied: true },
      { name: "g2-headwise", fusedLayout: undefined, tied: true },
      { name: "more-experts", fusedLayout: undefined, tied: false },
    ] as const;
    for (const { name, fusedLayout, tied } of cases) {
      const from = new TransformerLM(tinyOptions(name, { tied, seed: 11 }));
      const bytes = await encodeSafetensors(await publishedState(from, { fusedLayout }));
      const to = new TransformerLM(tinyOptions(name, { tied, seed: 12 }));
      await loadPublished(to, decodeSafetensors(bytes).tensors, { fusedLayout });
      expect(values(to.forward(ids)), name).toEqual(values(from.forward(ids)));
    }
  });

  test("experts are apart in the file; a tied file may repeat its table; dtypes are the model's", async () => {
    const experts = new TransformerLM(tinyOptions("more-experts", { nLayers: 1, tied: false }));
    const file = await publishedState(experts);
    expect(file["model.layers.0.mlp.experts.5.down_proj.weight"].shape).toEqual([4, 2]);
    expect(file["model.layers.0.mlp.gate.weight"].shape).toEqual([6, 4]);
    expect(file["lm_head.weight"].shape).toEqual([7, 4]);
    const stacked = Object.keys(file).filter((name) => /mlp\.(gate|up|down)_proj/.test(name));
    expect(stacked).toEqual([]);
    const tied = new TransformerLM(tinyOptions("baseline"));
    const narrow = Object.entries(await publishedState(tied)).map(([name, x]) => [name, x.cast("f32")] as const);
    const repeated = { ...Object.fromEntries(narrow), "lm_head.weight": narrow[0][1] };
    const to = new TransformerLM(tinyOptions("baseline", { seed: 9 }));
    await loadPublished(to, repeated);
    close(to.forward(ids), values(tied.forward(ids)), 1e-5);
  });

  test("that do not fit are refused, and change nothing", async () => {
    const model = new TransformerLM(tinyOptions("g1-elementwise"));
    const before = values(model.forward(ids));
    const file = await publishedState(model, { fusedLayout: "grouped" });
    const without = (name: string): Record<string, Tensor> =>
      Object.fromEntries(Object.entries(file).filter(([own]) => own !== name));
    const load = (state: Record<string, Tensor>): Promise<void> =>
      loadPublished(model, state, { fusedLayout: "grouped" });
    await expect(load(without("model.layers.1.self_attn.q_proj.weight"))).rejects.toThrow(
      /"layers.1.selfAttn.qProj.weight" is missing/,
    );
    await expect(load(without("model.norm.weight"))).rejects.toThrow(/"norm.weight" is missing/);
    await expect(load({ ...file, extra: tensor(1) })).rejects.toThrow(/"extra" is unknown/);
    await expect(loadPublished(model, file)).rejects.toThrow(/gate.proj.weight" is missing/);
    const experts = new TransformerLM(tinyOptions("more-experts"));
    const dense = await publishedState(new TransformerLM(tinyOptions("baseline")));
    await expect(loadPublished(experts, dense)).rejects.toThrow(/"layers.0.mlp.experts.0.gateProj.weight" is missing/);
    expect(values(model.forward(ids))).toEqual(before);
  });
});

test("a layer made by itself has the published names too", () => {
  const layer = new GatedAttention({ dModel: 4, nHeads: 2, nKvHeads: 1, headDim: 2, gate: { position: "G1" } });
  expect(layer.namedParameters().map(([name]) => name)).toEqual([
    "qProj.weight",
    "kProj.weight",
    "vProj.weight",
    "oProj.weight",
    "qNorm.weight",
    "kNorm.weight",
    "gate.proj.weight",
  ]);
});
