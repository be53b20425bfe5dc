// The baseline without learning: each id is assigned to an expert at random, once (Roller et al. 2021).

import {
  ArgumentError,
  DTypeError,
  formatShape,
  indexSelect,
  oneHot,
  ShapeError,
  type Tensor,
  tensor,
  zeros,
} from "../engine/index.ts";
import { buffer, Stream } from "../nn/index.ts";
import { Gate, type Routing } from "./gate.ts";

export interface HashConfig {
  /** How many ids there are (users, tokens). */
  readonly nIds: number;
  readonly nExperts: number;
  /** The table depends on it alone; default 0. */
  readonly seed?: number;
}

/** ids [B] i32 -> one-hot weights from a fixed random table. No parameters, k = 1. */
export class HashGate extends Gate {
  /** [nIds] i32: the expert of each id. */
  readonly table: Tensor;

  /** @throws ArgumentError for n < 2, nIds < 1 */
  constructor({ nIds, nExperts, seed = 0 }: HashConfig) {
    super("HashGate", { nExperts, k: 1 });
    if (!Number.isInteger(nIds) || nIds < 1)
      throw new ArgumentError("HashGate", `nIds must be at least 1, got ${nIds}`);
    const stream = new Stream(seed, "hash table");
    this.table = buffer(tensor(Int32Array.from({ length: nIds }, () => stream.integer(nExperts))));
  }

  override route(ids: Tensor): Routing {
    if (ids.dtype !== "i32") throw new DTypeError("HashGate", `ids must be i32, got ${ids.dtype}`);
    if (ids.rank !== 1) throw new ShapeError("HashGate", `needs ids [B], got ${formatShape(ids.shape)}`);
    const weights = oneHot(indexSelect(this.table, 0, ids), this.nExperts).unsqueeze(-1);
    return { shares: weights, leafProbs: weights, regLoss: zeros([]) };
  }
}
