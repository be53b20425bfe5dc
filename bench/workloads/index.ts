// Every group, in the order it is measured and shown.

import type { Group } from "../harness/protocol.ts";
import { convolutions } from "./conv.ts";
import { elementwise } from "./elementwise.ts";
import { fourier } from "./fourier.ts";
import { grouped } from "./grouped.ts";
import { matmul, oddMatmul, otherMatmul } from "./matmul.ts";
import { reductions, rows } from "./rows.ts";
import { scans } from "./scans.ts";
import { sigma } from "./sigma.ts";
import { memory, overhead, steps } from "./steps.ts";
import { indexed, windows } from "./windows.ts";

export const groups: readonly Group[] = [
  elementwise,
  rows,
  reductions,
  matmul,
  oddMatmul,
  otherMatmul,
  grouped,
  convolutions,
  windows,
  indexed,
  steps,
  sigma,
  scans,
  fourier,
  overhead,
  memory,
];
