// Samples of every operation, by the name it is exported under.

import { convolutions } from "./convolutions.ts";
import { counting } from "./counting.ts";
import { cumulative } from "./cumulative.ts";
import { elementwise } from "./elementwise.ts";
import { experts } from "./experts.ts";
import { fourier } from "./fourier.ts";
import { movement } from "./movement.ts";
import { products } from "./products.ts";
import { rows } from "./rows.ts";
import type { Sample } from "./sample.ts";
import { scans } from "./scan.ts";
import { slicing } from "./slicing.ts";

export const samples: Readonly<Record<string, Sample>> = {
  ...elementwise,
  ...rows,
  ...movement,
  ...slicing,
  ...products,
  ...experts,
  ...convolutions,
  ...counting,
  ...cumulative,
  ...fourier,
  ...scans,
};
