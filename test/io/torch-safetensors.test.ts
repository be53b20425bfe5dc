// A file that the format's own library wrote from PyTorch tensors (golden/make.py), read here.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type DType, decodeSafetensors, encodeSafetensors, setBackend } from "../../engine/index.ts";

const bytes = readFileSync(new URL("./golden/torch.safetensors", import.meta.url));
const count = [0, 1, 2, 3, 4, 5];
const expected: Record<string, readonly [dtype: DType, shape: readonly number[], values: readonly number[]]> = {
  "layer.weight": ["f32", [2, 3], count.map((i) => Math.fround(i / 7 - 0.3))],
  "layer.bias": ["f32", [3], [Math.fround(0.1), Number.POSITIVE_INFINITY, -0]],
  half: ["f32", [2, 3], count.map((i) => i / 4 - 0.5)],
  brain: ["f32", [2, 3], count.map((i) => i - 2.5)],
  double: ["f64", [2, 3], count.map((i) => i / 3)],
  ids: ["i32", [2, 3], count.map((i) => i * 1000)],
  small: ["i32", [2, 3], count],
  signed: ["i32", [2, 3], count.map((i) => i - 3)],
  short: ["i32", [2, 3], count.map((i) => i - 3)],
  int: ["i32", [2, 3], count.map((i) => i - 3)],
  mask: ["bool", [2, 3], count.map((i) => (i + 1) % 2)],
  scalar: ["f32", [], [2.5]],
  empty: ["f32", [0, 4], []],
  größe: ["f32", [1], [1]],
};

test("PyTorch's file is read; written again it is the same tensors", async () => {
  await setBackend("wasm");
  const first = decodeSafetensors(bytes);
  expect(first.metadata).toEqual({ step: "12", "made by": "PyTorch" });
  const second = decodeSafetensors(await encodeSafetensors(first.tensors, first.metadata));
  expect(second.metadata).toEqual(first.metadata);
  for (const { tensors } of [first, second]) {
    expect(Object.keys(tensors).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, [dtype, shape, values]] of Object.entries(expected)) {
      expect([tensors[name].dtype, tensors[name].shape], name).toEqual([dtype, shape]);
      expect(Array.from(tensors[name].dataSync()), name).toEqual(values);
    }
  }
});
