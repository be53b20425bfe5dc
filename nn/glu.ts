// Gated linear units: one half of the features opens and closes the other (Dauphin et al. 2017; Shazeer 2020).

import { formatShape, ShapeError, type Tensor } from "../engine/index.ts";
import { Module } from "./module.ts";

/** x [..., 2 n] as (value, gate), both [..., n]. */
function halves(op: string, x: Tensor): [value: Tensor, gate: Tensor] {
  const side = x.shape.at(-1) ?? 1;
  if (side % 2 !== 0) throw new ShapeError(op, `needs an even last axis, got ${formatShape(x.shape)}`);
  const [value, gate] = x.split(side / 2, -1);
  return [value, gate];
}

/** [..., 2 n] -> [..., n]: value * sigmoid(gate), the gate being the second half (as in PyTorch). */
export class GLU extends Module {
  override forward(x: Tensor): Tensor {
    const [value, gate] = halves("GLU", x);
    return value.mul(gate.sigmoid());
  }
}

/** value * relu(gate). */
export class ReGLU extends Module {
  override forward(x: Tensor): Tensor {
    const [value, gate] = halves("ReGLU", x);
    return value.mul(gate.relu());
  }
}

/** value * gelu(gate). */
export class GEGLU extends Module {
  override forward(x: Tensor): Tensor {
    const [value, gate] = halves("GEGLU", x);
    return value.mul(gate.gelu());
  }
}

/** value * silu(gate). */
export class SwiGLU extends Module {
  override forward(x: Tensor): Tensor {
    const [value, gate] = halves("SwiGLU", x);
    return value.mul(gate.silu());
  }
}
