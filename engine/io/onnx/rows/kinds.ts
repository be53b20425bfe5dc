// Kinds of rows: what most operators of a family share, so that a row says only what is its own.

import { ArgumentError } from "../../../errors.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call, Row } from "../call.ts";

/** A function of each element, of the type it comes in. */
export const unary =
  (fn: (x: Tensor, call: Call) => Tensor): Row =>
  (call) =>
    call.as(0, fn(call.input(0).exact, call));

/** A function of two broadcast tensors of one type, of that type. */
export const binary =
  (fn: (x: Tensor, y: Tensor, call: Call) => Tensor): Row =>
  (call) =>
    call.as(0, fn(call.input(0).exact, call.input(1).exact, call));

export const comparison =
  (fn: (x: Tensor, y: Tensor) => Tensor): Row =>
  (call) =>
    call.bool(fn(call.tensor(0), call.tensor(1)));

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
