// Task D: what the flipped path of untrained models knows of users, at each history length, with both ways to flip.

import { tensor } from "../../engine/index.ts";
import { Stream } from "../../nn/index.ts";
import type { Trial } from "../paper.ts";
import type { FixedCutConfig } from "./config.ts";
import { flippedReadOut } from "./inspect.ts";
import type { FlipMode } from "./model/flip.ts";
import { padHistories, Sigma } from "./model/index.ts";

/** Ids of the random users' items. */
const items = 201;

/** The spread over users, averaged over features, of the flipped Mamba's output where scores are read; a step is a length. */
export async function runFixedCut(trial: Trial, { users, ...sizes }: FixedCutConfig): Promise<void> {
  const flipMode = trial.arm as FlipMode;
  // A fixed cut as in the release: padding is a trained vector that everything may see.
  const asReleased = flipMode === "padded" ? { padInSoftmax: true, maskPad: false } : {};
  const model = new Sigma({ items, ...sizes, flipMode, ...asReleased }).initialize(trial.seed);
  const random = new Stream(trial.seed, "users");
  for (let length = 1; length <= trial.steps; length++) {
    const histories = Array.from({ length: users }, () => Array.from({ length }, () => 1 + random.integer(items - 1)));
    const { ids } = padHistories(histories, items, sizes.maxLength);
    const read = flippedReadOut(model, ids, tensor(new Int32Array(users).fill(length)));
    const spread = read
      .sub(read.narrow(0, 0, 1))
      .abs()
      .mean();
    await trial.step(length, { spread: (await spread.data())[0] });
  }
}
