// Pad, by what fills the border. Along one axis after the other, as the modes are defined.

import { indexSelect } from "../../../ops/indexing.ts";
import { pad } from "../../../ops/slicing.ts";
import { resolveAxis } from "../../../shape.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call, Row } from "../call.ts";
import { indexOf } from "./kinds.ts";

/** Which of `side` elements stands at place i, which may lie before 0 or beyond the end. */
const sources: Readonly<Record<string, (i: number, side: number) => number>> = {
  edge: (i, side) => Math.min(Math.max(i, 0), side - 1),
  wrap: (i, side) => ((i % side) + side) % side,
  reflect: (i, side) => {
    if (side === 1) return 0;
    const period = 2 * (side - 1);
    const at = ((i % period) + period) % period;
    return at < side ? at : period - at;
  },
};

export function padBy(x: Tensor, widths: readonly (readonly [number, number])[], mode: string): Tensor {
  const source = sources[mode];
  return widths.reduce((value, [before, after], axis) => {
    if (before === 0 && after === 0) return value;
    const side = value.shape[axis];
    const order = Array.from({ length: before + side + after }, (_, i) => source(i - before, side));
    return indexSelect(value, axis, indexOf(order));
  }, x);
}

async function widthsOf(call: Call, rank: number): Promise<(readonly [number, number])[]> {
  const flat =
    call.opset < 11
      ? call.needed(call.ints(call.opset < 2 ? "paddings" : "pads"), "attribute pads")
      : await call.integers(1);
  const listed = call.optional(3) === undefined ? undefined : await call.integers(3);
  const axes = (listed ?? Array.from({ length: rank }, (_, i) => i)).map((axis) => resolveAxis(call.where, axis, rank));
  const widths = Array.from({ length: rank }, (): readonly [number, number] => [0, 0]);
  axes.forEach((axis, i) => {
    widths[axis] = [flat[i], flat[axes.length + i]];
  });
  return widths;
}

const padRow: Row = async (call) => {
  const x = call.tensor(0);
  const mode = call.choice("mode", ["constant", "reflect", "edge", "wrap"], "constant");
  const widths = await widthsOf(call, x.rank);
  const given = call.opset < 11 ? call.float("value", 0) : call.optional(2) && (await call.scalar(2));
  return call.kept(0, mode === "constant" ? pad(x, widths, given ?? 0) : padBy(x, widths, mode));
};

export const padding: Readonly<Record<string, Row>> = { Pad: padRow };
