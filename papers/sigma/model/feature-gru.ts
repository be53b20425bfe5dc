// FE-GRU: a convolution of 3 taps and a GRU, for patterns of a few items.

import { conv1d, type DType, type Tensor } from "../../../engine/index.ts";
import { Conv1d, GRU, Module } from "../../../nn/index.ts";
import { type Focus, focused, masked, type Sequences } from "./extent.ts";

/** "gru": F = GRU(Conv(X)). "conv": F = Conv(X) (what the release logs call "without GRU"). "off": no such path. */
export type FeatureExtract = "gru" | "conv" | "off";

/** [B, L, size] -> the same at the wanted positions. */
export class FeatureGRU extends Module<[Sequences, Focus], Tensor> {
  readonly conv: Conv1d;
  readonly gru: GRU | undefined;

  constructor(size: number, kind: Exclude<FeatureExtract, "off">, { dtype }: { readonly dtype?: DType } = {}) {
    super();
    this.conv = new Conv1d(size, size, 3, { dtype });
    this.gru = kind === "gru" ? new GRU(size, size, { bias: false, dtype }) : undefined;
  }

  override forward({ x, real }: Sequences, focus: Focus): Tensor {
    const mixed = conv1d(masked(x, real).transpose(1, 2), this.conv.weight, { bias: this.conv.bias, padding: 1 });
    const features = mixed.transpose(1, 2);
    return focused(this.gru?.forward(features).output ?? features, focus);
  }
}
