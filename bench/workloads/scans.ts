// Scans and sorting.

import type { Group } from "../harness/protocol.ts";
import { floats } from "./inputs.ts";

const long = 2 ** 20;
const sequence = [4, 1024, 512];
const states = 4 * 1024 * 512;
const selective = {
  u: floats(1, [8, 256, 128]),
  delta: floats(2, [8, 256, 128], 0.001, 0.1),
  A: floats(3, [128, 16], -2, -0.1),
  B: floats(4, [8, 256, 16]),
  C: floats(5, [8, 256, 16]),
  D: floats(6, [128]),
};

export const scans: Group = {
  name: "scans",
  fresh: true,
  workloads: [
    {
      id: "cumsum 2^20",
      op: "cumsum",
      params: {},
      inputs: { x: floats(1, [long]) },
      bytes: 8 * long,
      tolerance: 1e-2,
    },
    {
      // h_t = a_t * h_{t-1} + b_t along the middle axis, h_0 = b_0.
      id: "linear recurrence [4, 1024, 512]",
      op: "linearRecurrence",
      params: { backward: false },
      inputs: { a: floats(1, sequence, 0, 0.99), b: floats(2, sequence) },
      bytes: 12 * states,
      tolerance: 1e-4,
    },
    {
      // The floor under the recurrence: one elementwise pass over the same bytes.
      id: "a*b+c [4, 1024, 512]",
      op: "multiplyAdd",
      params: {},
      inputs: { a: floats(1, sequence, 0, 0.99), b: floats(2, sequence) },
      bytes: 12 * states,
      tolerance: 1e-5,
    },
    {
      id: "linear recurrence [4, 1024, 512] + gradients",
      op: "linearRecurrence",
      params: { backward: true },
      inputs: { a: floats(1, sequence, 0, 0.99), b: floats(2, sequence), seed: floats(3, sequence) },
      // Forward as above; backward reads a, h and the seed, and writes two gradients.
      bytes: 32 * states,
      tolerance: 1e-3,
    },
    {
      id: "selective scan B 8, L 256, D 128, N 16",
      op: "selectiveScan",
      params: { backward: false },
      inputs: selective,
      tolerance: 1e-3,
    },
    {
      id: "selective scan B 8, L 256, D 128, N 16 + gradients",
      op: "selectiveScan",
      params: { backward: true },
      inputs: { ...selective, seed: floats(7, [8, 256, 128]) },
      tolerance: 1e-3,
    },
    {
      id: "topk 8 of 64, 16384 rows",
      op: "topk",
      params: { k: 8 },
      inputs: { x: floats(1, [16384, 64]) },
      tolerance: 1e-6,
    },
    {
      // Checked through the values in the order found: equal keys may come in any order.
      id: "argsort 2^20",
      op: "argsort",
      params: {},
      inputs: { x: floats(1, [long]) },
      tolerance: 1e-6,
    },
  ],
};
