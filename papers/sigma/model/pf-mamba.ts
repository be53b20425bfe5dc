// PF-Mamba: one Mamba on the histories and, partially flipped, on their mirror image.

import { concat, type Tensor } from "../../../engine/index.ts";
import { Mamba, type MambaOptions, Module } from "../../../nn/index.ts";
import type { Focus, Histories, Sequences } from "./extent.ts";
import { type FlipMode, flipOrder, reorder } from "./flip.ts";
import type { Directions } from "./gate.ts";
import { mambaAtLast } from "./mamba-last.ts";

export interface PFMambaOptions extends MambaOptions {
  /** Default "valid". */
  readonly flipMode?: FlipMode;
  /** How many items at the end keep their place, r; 0: all is flipped. Default 5. */
  readonly kept?: number;
  /** Whether one Mamba serves both directions, as in the paper; default true. */
  readonly tieDirections?: boolean;
}

/** What each direction read and gave. */
export interface PFMambaResult {
  readonly inputs: Directions<Sequences>;
  /** At the wanted positions; the flipped direction's stays in flipped order, as in the release. */
  readonly outputs: Directions<Tensor>;
}

/** Histories [B, L, size] -> two readings of the same shape. */
export class PFMamba extends Module<[histories: Histories, focus?: Focus], PFMambaResult> {
  readonly mamba: Mamba;
  /** The flipped direction's, where it has its own. */
  readonly flippedMamba: Mamba | undefined;
  readonly flipMode: FlipMode;
  readonly kept: number;

  constructor(size: number, options: PFMambaOptions = {}) {
    super();
    const { flipMode = "valid", kept = 5, tieDirections = true, ...mamba } = options;
    this.mamba = new Mamba(size, mamba);
    this.flippedMamba = tieDirections ? undefined : new Mamba(size, mamba);
    this.flipMode = flipMode;
    this.kept = kept;
  }

  override forward({ x, real, lengths }: Histories, focus?: Focus): PFMambaResult {
    const flipped = this.flip(x, real, lengths);
    const inputs = { forwards: { x, real }, flipped };
    const { mamba, flippedMamba } = this;
    if (flippedMamba !== undefined) {
      const outputs = { forwards: read(mamba, x, focus), flipped: read(flippedMamba, flipped.x, focus) };
      return { inputs, outputs };
    }
    if (this.flipMode === "off") {
      const y = read(mamba, x, focus);
      return { inputs, outputs: { forwards: y, flipped: y } };
    }
    // Both directions as one batch: half as many steps of the scan wait for each other.
    const both = focus === undefined ? undefined : { lengths: concat([focus.lengths, focus.lengths]) };
    const [y, yFlipped] = read(mamba, concat([x, flipped.x]), both).split(x.shape[0], 0);
    return { inputs, outputs: { forwards: y, flipped: yFlipped } };
  }

  private flip(x: Tensor, real: Tensor | undefined, lengths: Tensor): Sequences {
    const { flipMode, kept } = this;
    if (flipMode === "off") return { x, real };
    const order = flipOrder(lengths, x.shape[1], kept, flipMode);
    // A valid flip moves no padding.
    return { x: reorder(x, order), real: flipMode === "valid" || real === undefined ? real : reorder(real, order) };
  }
}

/** Mamba at the wanted positions. */
export const read = (mamba: Mamba, x: Tensor, focus: Focus): Tensor =>
  focus === undefined ? mamba.forward(x) : mambaAtLast(mamba, x, focus.lengths);
