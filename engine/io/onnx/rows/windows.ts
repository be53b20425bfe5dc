// How windows lie over spatial axes, from the attributes that convolutions and pools share.

import { ShapeError } from "../../../errors.ts";
import { primitive } from "../../../ops/operand.ts";
import { pad } from "../../../ops/slicing.ts";
import { span } from "../../../primitives/windows.ts";
import type { Shape } from "../../../shape.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call } from "../call.ts";

export interface Windows {
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** What the model asks for, before and after each side. */
  readonly pads: readonly (readonly [number, number])[];
  /** What the last window needs beyond that, where counts of windows are rounded up. */
  readonly extra: readonly number[];
}

export const autoPads = ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"] as const;

/** Half each; an odd one goes after (upper) or before (lower). */
export function halves(total: number, mode: "SAME_UPPER" | "SAME_LOWER"): readonly [number, number] {
  const [less, more] = [Math.floor(total / 2), Math.ceil(total / 2)];
  return mode === "SAME_UPPER" ? [less, more] : [more, less];
}

const fill = (list: readonly number[] | undefined, count: number): readonly number[] =>
  list ?? new Array<number>(count).fill(1);

export function windowsOf(call: Call, sides: Shape, sizes: readonly number[], ceil = false): Windows {
  const count = sides.length;
  if (sizes.length !== count)
    throw new ShapeError(call.where, `a kernel of ${sizes.length} axes does not fit ${count} spatial axes`);
  const [strides, dilations] = [fill(call.ints("strides"), count), fill(call.ints("dilations"), count)];
  const auto = call.choice("auto_pad", autoPads, "NOTSET");
  const given = call.ints("pads", new Array<number>(2 * count).fill(0));
  const pads = sides.map((side, i): readonly [number, number] => {
    if (auto === "NOTSET") return [given[i], given[count + i]];
    if (auto === "VALID") return [0, 0];
    const outputs = Math.ceil(side / strides[i]);
    return halves(Math.max(0, (outputs - 1) * strides[i] + span(sizes[i], dilations[i]) - side), auto);
  });
  const extra = sides.map((side, i) => {
    if (!ceil) return 0;
    const room = side + pads[i][0] + pads[i][1] - span(sizes[i], dilations[i]);
    const last = Math.ceil(room / strides[i]);
    // A window that would start in the padding after the end is left out.
    const kept = last * strides[i] >= side + pads[i][0] ? last - 1 : last;
    return Math.max(0, kept * strides[i] - room);
  });
  return { sizes, strides, dilations, pads, extra };
}

/** [..., ...sides] -> [..., ...positions, ...taps], padded with `value`. */
export function windowed(x: Tensor, { sizes, strides, dilations, pads, extra }: Windows, value: number): Tensor {
  const lead = x.rank - sizes.length;
  const none = x.shape.slice(0, lead).map(() => [0, 0] as const);
  const whole = pad(x, [...none, ...pads.map(([before, after], i) => [before, after + extra[i]] as const)], value);
  return primitive("windows", [whole], { axes: sizes.map((_, i) => lead + i), sizes, strides, dilations });
}

/** The axes of taps after `windowed`. */
export const tapAxes = ({ sizes }: Windows): number[] => sizes.map((_, i) => i - sizes.length);
