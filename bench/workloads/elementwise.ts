// Transcendental functions over 2^20 values.

import type { Group } from "../harness/protocol.ts";
import { floats } from "./inputs.ts";

const size = 2 ** 20;

const functions = ["exp", "log", "tanh", "sigmoid", "erf", "gelu", "silu"];

export const elementwise: Group = {
  name: "elementwise",
  workloads: functions.map((op) => ({
    id: `${op} 2^20`,
    op,
    params: {},
    inputs: { x: op === "log" ? floats(1, [size], 0.001, 10) : floats(1, [size], -5, 5) },
    bytes: 8 * size,
    // Loose enough for the least accurate peer; Sluice's own accuracy is tested in ulp elsewhere.
    tolerance: 1e-4,
  })),
};
