// SIGMA (Liu et al. 2025) and Mamba4Rec (Liu et al. 2024): an item table, a norm, layers, and the table again.

import { ArgumentError, type DType, type Tensor } from "../../../engine/index.ts";
import { Dropout, LayerNorm, Mamba } from "../../../nn/index.ts";
import { Recommender } from "../recommender.ts";
import { masked, realPositions } from "./extent.ts";
import { GMamba, type GMambaOptions, MambaMixer, type Mixer } from "./gmamba.ts";
import { type InitName, redrawLinears, tableInit } from "./initial.ts";
import { ItemTable } from "./item-table.ts";
import { SequenceLayer } from "./layer.ts";

export interface StateSpaceOptions {
  /** Ids, the padding id 0 included: V. */
  readonly items: number;
  /** The longest history looked at, L; default 50. */
  readonly maxLength?: number;
  /** Features of an item, d; default 64. */
  readonly size?: number;
  /** Default 1: without a residual around the mixer, which deeper models have. */
  readonly layers?: number;
  /** Of embeddings, mixer and feed-forward; default 0.2. */
  readonly dropout?: number;
  /** Of the layer norms; default 1e-5. The release has 1e-12, which blows up rows that are constant. */
  readonly eps?: number;
  /** States a channel, N; default 32. */
  readonly states?: number;
  /** Taps of Mamba's convolution, k; default 4. */
  readonly taps?: number;
  /** Inner channels a feature, e; default 2. */
  readonly expand?: number;
  /** How B is made discrete; default "euler", as all running code. */
  readonly bRule?: "euler" | "zoh";
  /** Default "mamba". */
  readonly init?: InitName;
  /** Whether padding is zero at the input of every layer, so that scores depend on the history alone; default true. */
  readonly maskPad?: boolean;
  /** Whether the padding id is scored in training; default false. */
  readonly padInSoftmax?: boolean;
  readonly dtype?: DType;
}

export interface SigmaOptions
  extends StateSpaceOptions,
    Omit<GMambaOptions, keyof StateSpaceOptions | "rank" | "discretisation"> {}

/** What both models share: everything but the mixer. */
export abstract class StateSpaceRecommender extends Recommender {
  readonly table: ItemTable;
  readonly dropout: Dropout;
  readonly norm: LayerNorm;
  readonly layers: readonly SequenceLayer[];
  readonly maskPad: boolean;

  constructor(options: StateSpaceOptions, mixer: (size: number, mamba: GMambaOptions) => Mixer) {
    const { items, maxLength = 50, size = 64, layers = 1, dropout = 0.2, eps = 1e-5, dtype } = options;
    super(items, maxLength);
    const { states = 32, taps = 4, expand = 2, bRule = "euler", init = "mamba", maskPad = true } = options;
    if (!Number.isInteger(layers) || layers < 1)
      throw new ArgumentError(new.target.name, `layers must be at least 1, got ${layers}`);
    this.table = new ItemTable(items, size, { padInSoftmax: options.padInSoftmax, init: tableInit, dtype });
    this.dropout = new Dropout(dropout);
    this.norm = new LayerNorm(size, { eps, dtype });
    const mamba = { states, taps, expand, discretisation: bRule, dtype };
    this.layers = Array.from(
      { length: layers },
      () => new SequenceLayer(size, mixer(size, mamba), { residual: layers > 1, dropout, eps, dtype }),
    );
    this.maskPad = maskPad;
    if (init === "recbole") redrawLinears(this);
  }

  /** Item vectors as the first layer takes them: ids [B, L] -> [B, L, size]. */
  embed(ids: Tensor): Tensor {
    return this.norm.forward(this.dropout.forward(this.table.forward(ids)));
  }

  protected override represent(ids: Tensor, lengths: Tensor): Tensor {
    const real = this.maskPad ? realPositions(lengths, ids.shape[1]) : undefined;
    let x = this.embed(ids);
    for (const [i, layer] of this.layers.entries()) {
      const last = i === this.layers.length - 1;
      x = layer.forward({ x: masked(x, real), real, lengths }, last ? { lengths } : undefined);
    }
    return x.squeeze(1);
  }
}

/** SIGMA: layers of G-Mamba. Gate, flip, FE-GRU and mix are options; the ablations of the paper are options too. */
export class Sigma extends StateSpaceRecommender {
  /** @throws ArgumentError */
  constructor(options: SigmaOptions) {
    const { gate, gateDropout, deltaTied, featureExtract, mixNorm, projection, flipMode, kept, tieDirections } =
      options;
    const own = { gate, gateDropout, deltaTied, featureExtract, mixNorm, projection, flipMode, kept, tieDirections };
    super(options, (size, mamba) => new GMamba(size, { ...own, ...mamba }));
  }
}

/** Mamba4Rec: layers of Mamba. */
export class Mamba4Rec extends StateSpaceRecommender {
  /** @throws ArgumentError */
  constructor(options: StateSpaceOptions) {
    super(options, (size, mamba) => new MambaMixer(new Mamba(size, mamba)));
  }
}
