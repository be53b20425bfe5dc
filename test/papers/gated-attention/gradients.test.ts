// Gradients to second order for every variant of the table: of the layer, and of the whole block where that is changed.

import { beforeAll, describe, expect, test } from "vitest";
import { setBackend } from "../../../engine/index.ts";
import { DecoderLayer } from "../../../papers/gated-attention/model.ts";
import { type VariantName, variantNames, variantOf } from "../../../papers/gated-attention/variants.ts";
import { checkModule, normals } from "../../nn/tools.ts";
import { attentionOf, tinyOptions } from "./tools.ts";

beforeAll(() => setBackend("reference"));

/** As small as grouped queries, rotation and sharing allow. */
const smallest = { dModel: 2, nHeads: 2, nKvHeads: 1, headDim: 2, feedForward: 1, initStd: 0.8 };

const changesBlock = (name: VariantName): boolean => {
  const { outNorm, clip, moreExperts } = variantOf(name);
  return outNorm !== undefined || clip !== undefined || moreExperts !== undefined;
};

describe("a layer's gradients are right to second order", () => {
  test.each(variantNames.filter((name) => !changesBlock(name)))("%s", (variant) => {
    const layer = attentionOf(tinyOptions(variant, smallest), 2);
    checkModule(layer, [normals([1, 2, 2], 3)], (x) => layer.forward(x));
  });
});

describe("a block's gradients are right to second order", () => {
  test.each(["baseline" as const, ...variantNames.filter(changesBlock)])("%s", (variant) => {
    const block = new DecoderLayer(tinyOptions(variant, smallest)).initialize(2);
    const x = normals([1, 2, 2], 3);
    checkModule(block, [x], (h) => block.forward(h, {}).hidden);
    // A limit that is never met would be no check of it.
    const { clip } = block;
    if (clip === undefined) return;
    const { output } = block.selfAttn.inspect(block.inputLayernorm.forward(x));
    const largest = output.abs().max().item();
    expect(largest > clip).toBe(variant === "clip-100");
  });
});
