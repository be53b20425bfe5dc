// Convolutions, NCHW (peers that want channels last get them so), and the gradients of input and kernel.

import type { Group, InputSpec, Workload } from "../harness/protocol.ts";
import { floats } from "./inputs.ts";

interface Shape {
  readonly name: string;
  readonly x: readonly [batch: number, channels: number, height: number, width: number];
  readonly kernel: readonly [outputs: number, inputs: number, height: number, width: number];
  readonly groups: number;
}

const shapes: readonly Shape[] = [
  { name: "conv 3x3, 8x16x32x32 to 32", x: [8, 16, 32, 32], kernel: [32, 16, 3, 3], groups: 1 },
  { name: "depthwise 7x7, 8x64x56x56", x: [8, 64, 56, 56], kernel: [64, 1, 7, 7], groups: 64 },
  { name: "conv 1x1, 8x64x56x56 to 64", x: [8, 64, 56, 56], kernel: [64, 64, 1, 1], groups: 1 },
];

function workloadsOf({ name, x, kernel, groups }: Shape): Workload[] {
  const [batch, , height, width] = x;
  const [outputs, ...window] = kernel;
  const taps = window.reduce((product, side) => product * side, 1);
  const scale = 1 / Math.sqrt(taps);
  const inputs: Record<string, InputSpec> = { x: floats(1, x), kernel: floats(2, kernel, -scale, scale) };
  const flop = 2 * batch * height * width * outputs * taps;
  const common = { op: "conv2d", tolerance: 2e-3 } as const;
  const params = { groups, pad: (kernel[2] - 1) / 2 };
  const seed = floats(3, [batch, outputs, height, width]);
  return [
    { ...common, id: name, params: { ...params, backward: false }, inputs, flop },
    {
      ...common,
      id: `${name} + gradients`,
      params: { ...params, backward: true },
      inputs: { ...inputs, seed },
      flop: 3 * flop,
    },
  ];
}

export const convolutions: Group = { name: "convolutions", workloads: shapes.flatMap(workloadsOf) };
