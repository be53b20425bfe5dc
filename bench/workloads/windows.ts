// Transposed and causal convolutions, pooling, and rows of a table looked up and added to: what is bound by memory.

import type { Group, InputSpec, Workload } from "../harness/protocol.ts";
import { floats, integers } from "./inputs.ts";

const elements = (shape: readonly number[]): number => shape.reduce((n, side) => n * side, 1);

/** Forward, and forward with the gradients of the f32 inputs. `bytes`: the inputs read and the result written once. */
function pair(
  id: string,
  op: string,
  inputs: Readonly<Record<string, InputSpec>>,
  out: readonly number[],
  flop?: number,
): Workload[] {
  const bytes =
    4 * [...Object.values(inputs).map(({ shape }) => shape), out].reduce((n, sides) => n + elements(sides), 0);
  const bound = (times: number) => (flop === undefined ? { bytes: times * bytes } : { flop: (2 * times - 1) * flop });
  const seed = floats(9, out);
  return [
    { id, op, params: { backward: false }, inputs, ...bound(1), tolerance: 2e-3 },
    {
      id: `${id} + gradients`,
      op,
      params: { backward: true },
      inputs: { ...inputs, seed },
      ...bound(2),
      tolerance: 2e-3,
    },
  ];
}

const plane = floats(1, [8, 64, 56, 56]);

export const windows: Group = {
  name: "windows",
  workloads: [
    ...pair(
      "transposed conv 4x4 stride 2, 8x32x16x16 to 16",
      "convTranspose2d",
      { x: floats(1, [8, 32, 16, 16]), kernel: floats(2, [32, 16, 4, 4], -0.1, 0.1) },
      [8, 16, 32, 32],
      2 * 8 * 32 * 16 * 16 * 16 * 16,
    ),
    ...pair(
      "causal depthwise conv, 8x256x512, 4 taps",
      "causalConv1d",
      { x: floats(1, [8, 256, 512]), kernel: floats(2, [256, 1, 4]) },
      [8, 256, 512],
    ),
    ...pair("max pooling 2, 8x64x56x56", "maxPool2d", { x: plane }, [8, 64, 28, 28]),
    ...pair("average pooling 2, 8x64x56x56", "avgPool2d", { x: plane }, [8, 64, 28, 28]),
  ],
};

export const indexed: Group = {
  name: "indexed",
  workloads: pair(
    "embedding, 4096 of 10000 rows of 64",
    "embedding",
    { table: floats(1, [10_000, 64]), at: integers(2, [4096], 10_000) },
    [4096, 64],
  ),
};
