// Names of others: there and back, and a block from a file with the names of published decoders.

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors, setBackend, tensor } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { normals, values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

test("names of words go there and back", () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
  const snake = fc.array(
    fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join("_")),
    { minLength: 1 },
  );
  fc.assert(
    fc.property(snake, (parts) => {
      const name = parts.join(".");
      expect(nn.snakeCase(nn.camelCase(name))).toBe(name);
    }),
  );
  expect(nn.camelCase("layers.0.self_attn.q_proj.weight")).toBe("layers.0.selfAttn.qProj.weight");
});

test("two names that become one are refused", () => {
  const state = { a_b: tensor(1), aB: tensor(2) };
  expect(() => nn.renameState(state, nn.camelCase)).toThrow(/"a_b" and "aB" both become "aB"/);
});

test("a decoder block loads from a file with published names", async () => {
  const make = (): nn.TransformerBlock =>
    new nn.TransformerBlock(4, {
      attention: new nn.MultiHeadAttention(4, {
        heads: 2,
        kvHeads: 1,
        causal: true,
        bias: false,
        rotary: new nn.RotaryEmbedding(2),
        queryKeyNorm: (size) => new nn.RMSNorm(size),
      }),
      feedForward: new nn.GatedFeedForward(4, 6),
      norm: (size) => new nn.RMSNorm(size),
    });
  const published: Record<string, number[]> = {
    "input_layernorm.weight": [4],
    "self_attn.q_proj.weight": [4, 4],
    "self_attn.k_proj.weight": [2, 4],
    "self_attn.v_proj.weight": [2, 4],
    "self_attn.o_proj.weight": [4, 4],
    "self_attn.q_norm.weight": [2],
    "self_attn.k_norm.weight": [2],
    "post_attention_layernorm.weight": [4],
    "mlp.gate_proj.weight": [6, 4],
    "mlp.up_proj.weight": [6, 4],
    "mlp.down_proj.weight": [4, 6],
  };
  const file = Object.fromEntries(
    Object.entries(published).map(([name, shape], i) => [`model.layers.3.${name}`, normals(shape, i).cast("f32")]),
  );
  const { tensors } = decodeSafetensors(await encodeSafetensors(file));
  const block = make();
  await block.loadStateDict(
    nn.renameState(tensors, nn.camelCase, [
      [/^model\.layers\.3\./, ""],
      [/^selfAttn\./, "attention."],
      [/^mlp\./, "feedForward."],
      [/^inputLayernorm\./, "attentionResidual.norm."],
      [/^postAttentionLayernorm\./, "feedForwardResidual.norm."],
    ]),
  );
  expect(values(block.attention.kProj.weight)).toEqual(values(file["model.layers.3.self_attn.k_proj.weight"]));
  expect(values(block.feedForwardResidual.norm.parameters()[0])).toEqual(
    values(file["model.layers.3.post_attention_layernorm.weight"]),
  );
});
