// Mamba where only the output at the last item of each history is wanted: most of its products are needed there only.

import { conv1d, full, selectiveScan, type Tensor } from "../../../engine/index.ts";
import type { Mamba } from "../../../nn/index.ts";
import { focused, masked, realPositions } from "./extent.ts";

/**
 * `mamba.forward(x)` at position length - 1 of each history: [B, L, size] -> [B, 1, size]. A step of size 0 leaves the
 * state as it is; so with Delta = 0 from the history's end on, the state after all steps is the one wanted. The gate z,
 * the projection C and the output are then products of one position instead of L.
 */
export function mambaAtLast(mamba: Mamba, x: Tensor, lengths: Tensor): Tensor {
  const { inner, states, rank, taps } = mamba;
  const rows = (y: Tensor, weight: Tensor, from: number, count: number): Tensor =>
    y.matmul(weight.narrow(0, from, count).transpose(0, 1));
  const last = focused(x, { lengths });
  const { weight, bias } = mamba.conv1d;
  const mixed = rows(x, mamba.inProj.weight, 0, inner).transpose(1, 2);
  const u = conv1d(mixed, weight, { bias, groups: inner, padding: [[taps - 1, 0]] })
    .transpose(1, 2)
    .silu();
  const [steps, B] = rows(u, mamba.xProj.weight, 0, rank + states).split([rank, states], -1);
  const delta = masked(mamba.dtProj.forward(steps).softplus(), realPositions(lengths, x.shape[1]));
  const unused = full(B.shape, 0, { dtype: x.dtype });
  const { state } = selectiveScan(u, delta, mamba.A(), B, unused, { discretisation: mamba.discretisation });
  const uLast = focused(u, { lengths });
  const C = rows(uLast, mamba.xProj.weight, rank + states, states);
  const y = state.mul(C).sum(-1).unsqueeze(1).add(uLast.mul(mamba.d));
  return mamba.outProj.forward(y.mul(rows(last, mamba.inProj.weight, inner, inner).silu()));
}
