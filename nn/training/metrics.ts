// Metrics of classes, of language models and of separated sources.

import { ArgumentError, type Tensor } from "../../engine/index.ts";
import { pitSiSdrLoss, siSdr } from "../losses/index.ts";

/** Share of the rows whose largest logit is the target's: logits [..., C], targets [...] i32 -> a scalar. */
export const accuracy = (logits: Tensor, targets: Tensor): Tensor =>
  logits.argmax(-1).equal(targets).cast("f32").mean();

/** e^loss of a mean cross-entropy in nats. */
export const perplexity = (loss: number): number => Math.exp(loss);

/** Bits per character of a mean cross-entropy in nats per token, with so many characters a token. */
export function bitsPerCharacter(loss: number, charactersPerToken = 1): number {
  if (!(charactersPerToken > 0))
    throw new ArgumentError("bitsPerCharacter", `a token must have characters, got ${charactersPerToken}`);
  return loss / Math.LN2 / charactersPerToken;
}

/**
 * SI-SDR improvement in dB: of the best assignment of estimates [B, S, T] to targets [B, S, T], over the mixture [B, T]
 * taken for each source; a scalar.
 */
export const siSdrImprovement = (estimates: Tensor, targets: Tensor, mixture: Tensor): Tensor =>
  pitSiSdrLoss(estimates, targets)
    .neg()
    .sub(siSdr(mixture.unsqueeze(1), targets).mean());
