// Mixtures of experts: rows sorted by expert, one matrix product for all experts, and the way back. Group borders are
// data, so shapes are static, nothing is padded to a capacity and no row is dropped.

import { customGradient } from "../autodiff.ts";
import { promote } from "../dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { indexSource, operation } from "../operation.ts";
import { checkOffsets } from "../primitives/grouped.ts";
import { formatShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { add, cast, floorDivide, less, mul } from "./elementwise.ts";
import { indexSelect, scatterAdd } from "./indexing.ts";
import { reshape, unsqueeze } from "./movement.ts";
import { checkTensor, filled, positions, primitive } from "./operand.ts";
import { sum } from "./reduce.ts";
import { argsort } from "./sorting.ts";

export interface GroupedMatmulOptions {
  /** Added to every row of its group: [G, N]. */
  readonly bias?: Tensor;
}

/**
 * One matrix per group of rows: x [R, K], w [G, K, N] and i32 offsets [G + 1] -> [R, N], where rows offsets[g] to
 * offsets[g + 1] are multiplied by w[g]; rows of no group are 0. Groups may be empty. Throws a ShapeError where shapes
 * do not fit, or offsets do not ascend from 0 to at most R (when they are known: at once; else when the program runs).
 */
export const groupedMatmul = operation(
  "groupedMatmul",
  (x: Tensor, w: Tensor, offsets: Tensor, options: GroupedMatmulOptions = {}): Tensor => {
    const { bias } = options;
    const op = "groupedMatmul";
    checkTensor(op, x);
    checkTensor(op, w, "w");
    checkTensor(op, offsets, "offsets");
    if (bias !== undefined) checkTensor(op, bias, "bias");
    if (offsets.dtype !== "i32") throw new DTypeError(op, `offsets must be i32, got ${offsets.dtype}`);
    const dtype = promote(promote(x.dtype, w.dtype), "f32");
    const attrs = { source: indexSource("groupedMatmul offsets") };
    const product = primitive("groupedContract", [cast(x, dtype), cast(w, dtype), offsets], attrs);
    const known = offsets.node.storage?.host;
    if (known !== undefined) checkOffsets(attrs.source, known, x.shape[0]);
    if (bias === undefined) return product;
    if (bias.rank !== 2 || bias.shape[0] !== w.shape[0] || bias.shape[1] !== w.shape[2]) {
      throw new ShapeError(op, `bias ${formatShape(bias.shape)} does not fit w ${formatShape(w.shape)}`);
    }
    // A product with a column of ones: its gradient, the sum over each group, is one too.
    const ones = filled([x.shape[0], 1], dtype, 1);
    return add(product, primitive("groupedContract", [ones, unsqueeze(cast(bias, dtype), 1), offsets], attrs));
  },
  "offsets",
);

/** Where the rows of a batch go when they are sorted by the experts chosen for them. */
export interface Dispatch {
  /** B samples, k experts each, of nExperts. */
  readonly samples: number;
  readonly choices: number;
  readonly nExperts: number;
  /** i32 [B * k]: the choice (sample * k + position) that each sorted row serves; stable. */
  readonly order: Tensor;
  /** i32 [B * k]: the sorted row that serves each choice; the inverse of `order`. */
  readonly places: Tensor;
  /** i32 [nExperts + 1]: where each expert's rows start and end. */
  readonly offsets: Tensor;
}

/**
 * The plan for rows sorted by expert, from the experts chosen: i32 [B, k], or [B] for one each. Throws typed errors for
 * other shapes and dtypes; an index outside [0, nExperts) is a ShapeError when the program runs.
 */
export const dispatchByExpert = operation(
  "dispatchByExpert",
  (expertIndex: Tensor, nExperts: number): Dispatch => {
    const op = "dispatchByExpert";
    checkTensor(op, expertIndex, "the expert index");
    if (expertIndex.dtype !== "i32") throw new DTypeError(op, `the index must be i32, got ${expertIndex.dtype}`);
    if (expertIndex.rank !== 1 && expertIndex.rank !== 2) {
      throw new ShapeError(op, `the index must be [B, k] or [B], got ${formatShape(expertIndex.shape)}`);
    }
    if (!Number.isInteger(nExperts) || nExperts < 1) {
      throw new ArgumentError(op, `the number of experts must be a whole number >= 1, got ${nExperts}`);
    }
    const [samples, choices = 1] = expertIndex.shape;
    const rows = samples * choices;
    // Numbers read from a list of themselves: the gather is what refuses one out of range.
    const expert = indexSelect(positions([nExperts], 0), 0, reshape(expertIndex, [rows]));
    const order = argsort(expert);
    const places = scatterAdd(filled([rows], "i32", 0), 0, order, positions([rows], 0));
    // An expert's rows start after those of all lower experts.
    const lower = less(unsqueeze(expert, 0), unsqueeze(positions([nExperts + 1], 0), 1));
    return { samples, choices, nExperts, order, places, offsets: sum(cast(lower, "i32"), 1) };
  },
  "expertIndex",
);

/** x [B, D] -> [B * k, D]: each sample's row once for every expert it chose, sorted by expert. */
export const gatherByExpert = operation(
  "gatherByExpert",
  (x: Tensor, dispatch: Dispatch): Tensor => {
    checkRows("gatherByExpert", x, dispatch.samples, "B");
    const { order, choices } = dispatch;
    // The two ways are each other's gradient, and both only read: no scatter.
    return customGradient(
      (rows) => indexSelect(rows, 0, floorDivide(order, choices)),
      (seed) => [addChoices(seed, dispatch)],
    )(x);
  },
  "dispatch",
);

/** [B * k, D], sorted by expert -> [B, D]: the sum over each sample's choices. */
function addChoices(y: Tensor, dispatch: Dispatch): Tensor {
  const { samples, choices, places } = dispatch;
  return customGradient(
    (rows) => sum(reshape(indexSelect(rows, 0, places), [samples, choices, y.shape[1]]), 1),
    (seed) => [gatherByExpert(seed, dispatch)],
  )(y);
}

/** [B * k] in one order -> in another; `back` leads the other way. */
function reorder(x: Tensor, by: Tensor, back: Tensor): Tensor {
  return customGradient(
    (values) => indexSelect(values, 0, by),
    (seed) => [reorder(seed, back, by)],
  )(x);
}

/**
 * The experts' outputs y [B * k, N], sorted by expert, back to their samples: [B, N], weighed by weights [B, k] (or [B]
 * for k = 1) and added up. Throws a ShapeError where shapes do not fit the dispatch.
 */
export const combineByExpert = operation(
  "combineByExpert",
  (y: Tensor, weights: Tensor, dispatch: Dispatch): Tensor => {
    const { samples, choices, order, places } = dispatch;
    const rows = samples * choices;
    checkRows("combineByExpert", y, rows, "B * k");
    checkTensor("combineByExpert", weights, "weights");
    if (weights.size !== rows || weights.rank > 2 || weights.shape[0] !== samples) {
      const want = formatShape([samples, choices]);
      throw new ShapeError("combineByExpert", `weights must be ${want}, got ${formatShape(weights.shape)}`);
    }
    const byRow = reorder(reshape(weights, [rows]), order, places);
    return addChoices(mul(y, unsqueeze(byRow, 1)), dispatch);
  },
  "dispatch",
);

function checkRows(op: string, x: Tensor, rows: number, what: string): void {
  checkTensor(op, x);
  if (x.rank !== 2 || x.shape[0] !== rows) {
    throw new ShapeError(op, `needs [${what}, D] with ${what} = ${rows}, got ${formatShape(x.shape)}`);
  }
}
