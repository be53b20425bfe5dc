// One product per expert over sorted rows, beside one dense product of the same multiply-adds.

import type { Group, InputSpec, Workload } from "../harness/protocol.ts";
import { floats, weights } from "./inputs.ts";

const [rows, width, outputs, experts] = [4096, 256, 512, 8];
/** Uneven groups. */
const offsets = [0, 1100, 1200, 1900, 2000, 2800, 3100, 3900, 4096].join();

const variants = (
  id: string,
  op: string,
  params: Workload["params"],
  inputs: Readonly<Record<string, InputSpec>>,
): Workload[] => {
  const flop = 2 * rows * width * outputs;
  const seed = floats(3, [rows, outputs]);
  return [
    { id, op, params: { ...params, backward: false }, inputs, flop, tolerance: 1e-3 },
    {
      id: `${id} + gradients`,
      op,
      params: { ...params, backward: true },
      inputs: { ...inputs, seed },
      flop: 3 * flop,
      tolerance: 2e-3,
    },
  ];
};

export const grouped: Group = {
  name: "grouped",
  workloads: [
    ...variants(
      "dense 4096x256 to 512",
      "matmul",
      { transposeA: false, transposeB: false },
      { a: floats(1, [rows, width]), b: weights(2, [width, outputs]) },
    ),
    ...variants(
      "8 experts, 4096x256 to 512",
      "grouped",
      { offsets },
      { x: floats(1, [rows, width]), w: floats(2, [experts, width, outputs], -1 / 16, 1 / 16) },
    ),
  ],
};
