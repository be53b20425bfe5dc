// Fourier transforms and searching.

import type { Group } from "../harness/protocol.ts";
import { floats } from "./inputs.ts";

export const fourier: Group = {
  name: "fourier",
  fresh: true,
  workloads: [
    {
      id: "rfft of 1024, 256 lines",
      op: "rfft",
      params: {},
      inputs: { x: floats(1, [256, 1024]) },
      tolerance: 1e-4,
    },
    {
      id: "rfft of 1009, 64 lines",
      op: "rfft",
      params: {},
      inputs: { x: floats(1, [64, 1009]) },
      tolerance: 1e-4,
    },
    {
      // HorNet's layer: a spectrum of each channel, multiplied by complex weights, and back.
      id: "global filter 8x64x14x14",
      op: "globalFilter",
      params: {},
      inputs: { x: floats(1, [8, 64, 14, 14]), w: floats(2, [64, 14, 8, 2], -0.02, 0.02) },
      tolerance: 1e-4,
    },
    {
      id: "searchsorted 2^18 in 4096",
      op: "searchsorted",
      params: {},
      inputs: { x: floats(1, [4096]), values: floats(2, [2 ** 18]) },
      tolerance: 0,
    },
  ],
};
