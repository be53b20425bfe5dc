// The table of operators: one row each, by "domain:name". ONNX's own domain is "".

import type { Row } from "../call.ts";
import { activations } from "./activations.ts";
import { attentions, previewAttentions } from "./attention.ts";
import { bits } from "./bits.ts";
import { contraction } from "./contraction.ts";
import { control } from "./control.ts";
import { convolution } from "./convolution.ts";
import { creation } from "./creation.ts";
import { elementwise } from "./elementwise.ts";
import { grids } from "./grids.ts";
import { indexing } from "./indexing.ts";
import { linearAttentions } from "./linear-attention.ts";
import { losses, optimizers } from "./losses.ts";
import { movement } from "./movement.ts";
import { normalization } from "./normalization.ts";
import { padding } from "./padding.ts";
import { pooling } from "./pooling.ts";
import { quantization } from "./quantization.ts";
import { recurrents } from "./recurrent.ts";
import { reductions } from "./reductions.ts";
import { resizing } from "./resizing.ts";
import { scattering } from "./scattering.ts";
import { spectral } from "./spectral.ts";

const families: readonly (readonly [domain: string, rows: Readonly<Record<string, Row>>])[] = [
  ["", elementwise],
  ["", bits],
  ["", activations],
  ["", reductions],
  ["", movement],
  ["", padding],
  ["", creation],
  ["", indexing],
  ["", scattering],
  ["", contraction],
  ["", convolution],
  ["", pooling],
  ["", normalization],
  ["", losses],
  ["", recurrents],
  ["", attentions],
  ["", linearAttentions],
  ["", resizing],
  ["", grids],
  ["", spectral],
  ["", quantization],
  ["", control],
  ["ai.onnx.preview", previewAttentions],
  ["ai.onnx.preview.training", optimizers],
];

export const rows: ReadonlyMap<string, Row> = new Map(
  families.flatMap(([domain, family]) =>
    Object.entries(family).map(([name, row]): [string, Row] => [`${domain}:${name}`, row]),
  ),
);
