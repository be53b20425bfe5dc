// How models start: with the initial values of their parts, or all linear layers drawn again as the release does.

import { type AnyModule, init, Linear, redraw } from "../../../nn/index.ts";

/**
 * "mamba": every layer as its own paper or library starts it (Delta in [0.001, 0.1]). "recbole": what the release ends
 * up with: every linear layer N(0, 0.02^2) with bias 0, those inside Mamba too, so Delta starts near ln 2.
 */
export type InitName = "mamba" | "recbole";

/** Both draw the item table from it. */
export const tableInit = init.normal(0, 0.02);

/** Makes all linear layers below start as the release's do, now and at `initialize(seed)`. */
export function redrawLinears(model: AnyModule): void {
  for (const module of model.modules()) {
    if (!(module instanceof Linear)) continue;
    redraw(module.weight, init.normal(0, 0.02));
    if (module.bias !== undefined) redraw(module.bias, init.zeros);
  }
}
