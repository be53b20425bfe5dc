// Kinds of rows: what most operators of a family share, so that a row says only what is its own.

import { ArgumentError } from "../../../errors.ts";
import { tensor } from "../../../ops/create.ts";
import { reshape } from "../../../ops/movement.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call, Row } from "../call.ts";

/** A function of each element, of the type it comes in. */
export const unary =
  (fn: (x: Tensor, call: Call) => Tensor): Row =>
  (call) =>
    call.as(0, fn(call.input(0).exact, call));

/** Positions known on the host, as an index. */
export const indexOf = (values: readonly number[]): Tensor =>
  tensor(Int32Array.from(values), { shape: [values.length] });

/** [C] beside [N, C, ...sides]. */
export const alongChannels = (x: Tensor, rank: number): Tensor =>
  reshape(x, [x.size, ...new Array<number>(Math.max(0, rank - 2)).fill(1)]);

/** Before opset 7 the second of two tensors broadcasts only if asked, its first axis lying at `axis` of the other. */
function beside(call: Call, x: Tensor, y: Tensor): Tensor {
  if (call.opset >= 7 || !call.flag("broadcast") || y.rank === 0) return y;
  const axis = call.axis("axis", x.rank - y.rank, x.rank);
  return reshape(y, [...y.shape, ...new Array<number>(Math.max(0, x.rank - axis - y.rank)).fill(1)]);
}

/** A function of two broadcast tensors of one type, of that type. */
export const binary =
  (fn: (x: Tensor, y: Tensor, call: Call) => Tensor): Row =>
  (call) => {
    const x = call.input(0).exact;
    return call.as(0, fn(x, beside(call, x, call.input(1).exact), call));
  };

export const comparison =
  (fn: (x: Tensor, y: Tensor) => Tensor): Row =>
  (call) => {
    const x = call.tensor(0);
    return call.bool(fn(x, beside(call, x, call.tensor(1))));
  };

export const test =
  (fn: (x: Tensor, call: Call) => Tensor): Row =>
  (call) =>
    call.bool(fn(call.tensor(0), call));

/** Any number of tensors made one, two at a time. */
export const variadic =
  (fn: (x: Tensor, y: Tensor) => Tensor, finish: (total: Tensor, count: number) => Tensor = (total) => total): Row =>
  (call) => {
    const values = call.rest();
    if (values.length === 0) throw new ArgumentError(call.where, "needs at least one input");
    return call.as(0, finish(values.map((value) => value.exact).reduce(fn), values.length));
  };

/** The elements of the first input, moved or chosen: no arithmetic. */
export const moved =
  (fn: (x: Tensor, call: Call) => Tensor | Promise<Tensor>): Row =>
  async (call) =>
    call.kept(0, await fn(call.tensor(0), call));
