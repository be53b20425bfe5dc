// Every group, in the order it is measured and shown.

import type { Group } from "../harness/protocol.ts";
import { elementwise } from "./elementwise.ts";
import { matmul, oddMatmul } from "./matmul.ts";
import { reductions, rows } from "./rows.ts";
import { scans } from "./scans.ts";
import { memory, overhead, steps } from "./steps.ts";

export const groups: readonly Group[] = [
  elementwise,
  rows,
  reductions,
  matmul,
  oddMatmul,
  steps,
  scans,
  overhead,
  memory,
];
