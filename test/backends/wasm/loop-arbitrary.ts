// Random loop kernels whose arithmetic is exact, so that every code generator must agree to the bit.

import type { Instr, KernelArg, LoopKernel, ScalarFn, Stage, Store } from "../../../engine/compile/ir.ts";
import { type Access, identityView, type View } from "../../../engine/compile/view.ts";
import { type DType, type HostArray, hostArray } from "../../../engine/dtype.ts";
import { contiguousStrides, sizeOf } from "../../../engine/shape.ts";

export interface LoopCase {
  readonly kernel: LoopKernel;
  readonly data: readonly HostArray[];
  readonly cuts: readonly number[];
}

/** Choices, all from one seed: a kernel is one number, which is what fast-check shrinks. */
class Draw {
  private state: number;
  constructor(seed: number) {
    this.state = seed;
  }
  /** A whole number in [lo, hi]. */
  int(lo: number, hi: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return lo + (((t ^ (t >>> 14)) >>> 0) % (hi - lo + 1));
  }
  bool(): boolean {
    return this.int(0, 1) === 1;
  }
  from<T>(...options: readonly T[]): T {
    return options[this.int(0, options.length - 1)];
  }
  shuffled(length: number): number[] {
    const order = Array.from({ length }, (_, i) => i);
    for (let i = length - 1; i > 0; i--) {
      const j = this.int(0, i);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }
}

const dtypes: readonly DType[] = ["f32", "f32", "f64", "i32", "bool"];

/** A random access over `axes` that stays inside a buffer of the returned length. */
function drawAccess(draw: Draw, axes: readonly number[]): { readonly access: Access; readonly length: number } {
  if (sizeOf(axes) === 0 || draw.int(0, 4) > 0) return drawAffine(draw, axes, undefined);
  // A chain: a flat position, then other sides of the same size, walked in another order.
  const total = sizeOf(axes);
  const divisor = draw.from(...[1, 2, 3, 4, 5, 7].filter((d) => total % d === 0));
  const middle = draw.bool() ? [divisor, total / divisor] : [1, total / divisor, divisor];
  const { access, length } = drawAffine(draw, middle, "permuted");
  return { access: [identityView(axes), ...access], length };
}

function drawAffine(draw: Draw, axes: readonly number[], form: "permuted" | undefined) {
  const kind = form ?? draw.from("contiguous", "contiguous", "permuted", "strided");
  const order = draw.shuffled(axes.length);
  const packed = contiguousStrides(kind === "permuted" ? order.map((axis) => axes[axis]) : axes);
  const strides = axes.map((_, axis) => {
    if (kind === "strided") return draw.from(0, 1, -1, 2, -3, 5);
    const stride = kind === "permuted" ? packed[order.indexOf(axis)] : packed[axis];
    return draw.from(stride, stride, stride, 0, -stride);
  });
  const masked = draw.int(0, 3) === 0;
  const mask = axes.map((side): readonly [number, number] => {
    if (!masked || draw.bool()) return [0, side];
    const lo = draw.int(0, side);
    return [lo, draw.int(lo, side)];
  });
  let [low, high] = [0, 0];
  strides.forEach((stride, axis) => {
    const [lo, hi] = mask[axis];
    const ends = [stride * lo, stride * Math.max(lo, hi - 1)];
    low += Math.min(...ends);
    high += Math.max(...ends);
  });
  const margin = draw.int(0, 2);
  const view: View = { shape: axes, strides, offset: margin - low, ...(masked ? { mask } : {}) };
  return { access: [view] as Access, length: high - low + 1 + margin };
}

function drawData(draw: Draw, dtype: DType, length: number): HostArray {
  const values = hostArray(dtype, length);
  const seed = draw.int(1, 1000);
  for (let i = 0; i < length; i++) {
    const value = (((i + 1) * 7919 * seed) >>> 3) % 9;
    values[i] = dtype === "bool" ? value & 1 : value - 4;
    if (dtype !== "bool" && dtype !== "i32" && value === 8 && seed % 3 === 0) values[i] = Number.NaN;
  }
  return values;
}

/** Draws the parts of one kernel, collecting its arguments. */
class KernelDraft {
  readonly args: KernelArg[] = [];
  readonly data: HostArray[] = [];
  readonly registers: DType[] = [];
  private readonly draw: Draw;
  private readonly axes: readonly number[];
  private readonly outer: number;

  constructor(draw: Draw, axes: readonly number[], outer: number) {
    this.draw = draw;
    this.axes = axes;
    this.outer = outer;
  }

  private argument(mode: KernelArg["mode"], values: HostArray, dtype: DType): number {
    this.data.push(values);
    return this.args.push({ dtype, mode }) - 1;
  }

  private leaf(axes: readonly number[], instrs: Instr[]): void {
    const { draw } = this;
    const kind = draw.from("load", "load", "load", "const", "index", "register", "gather");
    const dtype = draw.from(...dtypes);
    const { access, length } = drawAccess(draw, axes);
    const fill = dtype === "bool" ? 1 : draw.from(0, -2);
    if (kind === "const") instrs.push({ op: "const", dtype, value: dtype === "bool" ? 1 : 3 });
    else if (kind === "index") instrs.push({ op: "index", dtype: "i32", access, fill: -1 });
    else if (kind === "register" && this.registers.length > 0) {
      const register = draw.int(0, this.registers.length - 1);
      instrs.push({ op: "register", dtype: this.registers[register], register });
    } else if (kind === "gather") this.gather(axes, instrs, dtype);
    else {
      const arg = this.argument("read", drawData(draw, dtype, length), dtype);
      instrs.push({ op: "load", dtype, arg, access, fill });
    }
  }

  private gather(axes: readonly number[], instrs: Instr[], dtype: DType): void {
    const { draw } = this;
    const bound = draw.int(1, 5);
    const where = drawAccess(draw, axes);
    const index = hostArray("i32", where.length).map((_, i) => (i * 31) % bound) as HostArray;
    const arg = this.argument("read", index, "i32");
    instrs.push({ op: "load", dtype: "i32", arg, access: where.access, fill: 0 });
    const stride = draw.from(1, 2, 7);
    let { access, length } = drawAffine(draw, axes, undefined);
    access = access.map(({ shape, strides, offset }) => ({ shape, strides, offset }));
    // Without its mask the access may reach further.
    let [low, high] = [access[0].offset, access[0].offset];
    access[0].strides.forEach((s, i) => {
      const reach = s * Math.max(0, axes[i] - 1);
      low += Math.min(0, reach);
      high += Math.max(0, reach);
    });
    access = [{ ...access[0], offset: access[0].offset - low }];
    length = high - low + 1 + stride * (bound - 1);
    const table = this.argument("read", drawData(draw, dtype, length), dtype);
    instrs.push({
      op: "gather",
      dtype,
      arg: table,
      access,
      index: instrs.length - 1,
      stride,
      bound,
      source: { source: "gather index", axis: 0 },
    });
  }

  /** One operation on values already there, of a kind that is exact on small whole numbers. */
  private operation(instrs: Instr[]): void {
    const { draw } = this;
    const pick = (want: (dtype: DType) => boolean): number | undefined => {
      const found = instrs.flatMap((instr, i) => (want(instr.dtype) ? [i] : []));
      return found.length === 0 ? undefined : draw.from(...found);
    };
    const x = pick(() => true) as number;
    const { dtype } = instrs[x];
    const y = pick((other) => other === dtype) as number;
    const push = (fn: ScalarFn, to: DType, ...args: number[]) => instrs.push({ op: "apply", fn, dtype: to, args });
    if (dtype === "bool") {
      const binary = draw.from<ScalarFn>("logicalAnd", "logicalOr", "equal", "notEqual");
      if (draw.bool()) push(binary, "bool", x, y);
      else push("logicalNot", "bool", x);
      return;
    }
    const kind = draw.int(0, 4);
    const condition = pick((other) => other === "bool");
    if (kind === 0) push(draw.from<ScalarFn>("less", "lessEqual", "equal", "notEqual"), "bool", x, y);
    else if (kind === 1 && condition !== undefined) push("where", dtype, condition, x, y);
    else if (kind === 2) push("cast", draw.from(...dtypes), x);
    else if (kind === 3) push(draw.from<ScalarFn>("neg", "abs", "sign", "floor", "round"), dtype, x);
    else push(draw.from<ScalarFn>("add", "sub", "maximum", "minimum"), dtype, x, y);
  }

  /** A load with the last two axes exchanged. */
  private transposed(axes: readonly number[], dtype: DType): Instr {
    const order = axes.map((_, i) => i);
    order.push(...order.splice(-2).reverse());
    const packed = contiguousStrides(order.map((axis) => axes[axis]));
    const strides = axes.map((_, axis) => packed[order.indexOf(axis)]);
    const arg = this.argument("read", drawData(this.draw, dtype, sizeOf(axes)), dtype);
    return { op: "load", dtype, arg, access: [{ shape: axes, strides, offset: 0 }], fill: 0 };
  }

  instrs(axes: readonly number[], across: boolean): Instr[] {
    const instrs: Instr[] = across ? [this.transposed(axes, this.draw.from(...dtypes))] : [];
    const leaves = this.draw.int(1, 4);
    for (let i = 0; i < leaves; i++) this.leaf(axes, instrs);
    const operations = this.draw.int(0, 5);
    for (let i = 0; i < operations; i++) this.operation(instrs);
    return instrs;
  }

  private store(axes: readonly number[], instrs: readonly Instr[]): Store {
    const value = this.draw.int(0, instrs.length - 1);
    const { dtype } = instrs[value];
    const shape = this.draw.bool() ? axes.map((side) => side) : undefined;
    const order = this.draw.shuffled(axes.length);
    const packed = contiguousStrides(order.map((axis) => axes[axis]));
    const strides = shape === undefined ? axes.map((_, axis) => packed[order.indexOf(axis)]) : contiguousStrides(axes);
    const arg = this.argument("write", hostArray(dtype, sizeOf(axes)), dtype);
    return { arg, access: [{ shape: axes, strides, offset: 0 }], value };
  }

  stage(over: "row" | "point", last: boolean, across: boolean): Stage {
    const { draw } = this;
    const axes = over === "row" ? this.axes : this.axes.slice(0, this.outer);
    const instrs = this.instrs(axes, across);
    const stores = last || draw.bool() ? [this.store(axes, instrs)] : [];
    const result = () => {
      const value = draw.int(0, instrs.length - 1);
      return { value, register: this.registers.length };
    };
    const folds: Stage["folds"][number][] = [];
    const keeps: Stage["keeps"][number][] = [];
    const count = draw.int(0, last ? 0 : 2);
    for (let i = 0; i < count; i++) {
      const kept = result();
      const { dtype } = instrs[kept.value];
      if (over === "point") keeps.push(kept);
      else
        folds.push({
          ...kept,
          op: draw.from(...(dtype === "bool" ? ["max", "min"] : (["sum", "max", "min"] as const))) as "sum",
        });
      this.registers.push(dtype);
    }
    return { over, instrs, stores, folds, keeps };
  }
}

/** Shapes that generators treat in ways of their own. */
export type Form = "any" | "long" | "wide" | "tile";

function drawAxes(draw: Draw, form: Form, size: number): { readonly axes: number[]; readonly outer: number } {
  const sides = (count: number): number[] =>
    Array.from({ length: count }, () => draw.from(1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 70));
  switch (form) {
    case "long": {
      const axes = [...draw.from([], [2]), draw.int(8193, 9000)];
      return { axes, outer: draw.int(0, axes.length) };
    }
    case "wide": {
      const outer = [...draw.from([], [2]), draw.int(128, 300)];
      return { axes: [...outer, ...draw.from([19], [3, 7])], outer: outer.length };
    }
    case "tile":
      return { axes: [...draw.from([], [3]), draw.int(4, 20), draw.int(4, 20)], outer: 0 };
    case "any": {
      let axes = sides(draw.int(0, 4));
      if (draw.int(0, 20) === 0) axes = axes.map((side) => draw.from(side, 0));
      while (sizeOf(axes) > size) axes = axes.map((side) => Math.ceil(side / 2));
      return { axes, outer: draw.int(0, axes.length) };
    }
  }
}

/** The kernel of a seed, with about `size` elements at most where the form is "any". */
export function loopCase(seed: number, size: number, form: Form = "any"): LoopCase {
  const draw = new Draw(seed);
  const { axes, outer } = drawAxes(draw, form, size);
  const draft = new KernelDraft(draw, axes, outer);
  const count = form === "tile" ? 1 : draw.int(1, 3);
  const stages = Array.from({ length: count }, (_, i) => {
    const over = draw.from<Stage["over"]>("row", "row", "point");
    return draft.stage(
      form === "tile" || (form === "wide" && i === 0) ? "row" : over,
      i === count - 1,
      form === "tile",
    );
  });
  const lanes = form === "wide" ? "outer" : draw.from<LoopKernel["lanes"]>("row", "outer");
  const { args, registers } = draft;
  const kernel: LoopKernel = { kind: "loop", axes, outer, lanes, args, registers, stages };
  const cuts = Array.from({ length: draw.int(0, 2) }, () => draw.int(0, 99) / 100);
  return { kernel, data: draft.data, cuts };
}
