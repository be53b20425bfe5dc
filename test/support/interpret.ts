// The kernel IR by definition: a program run in plain f64 JavaScript, one element at a time. Judges code generators
// (same program, other code) and the compiler (same graph, no compiler).

import { selectiveScan, selectiveScanGrad } from "../../engine/backends/reference/selective.ts";
import type {
  ContractKernel,
  GroupedKernel,
  Instr,
  Kernel,
  LoopKernel,
  Program,
  RepeatKernel,
  ScanKernel,
  Stage,
  WalkAxis,
} from "../../engine/compile/ir.ts";
import { type Access, locate } from "../../engine/compile/view.ts";
import { type DType, roundTo } from "../../engine/dtype.ts";
import type { ReduceOp } from "../../engine/graph/vocabulary.ts";
import { integerScalar, primitives, reduceIdentity } from "../../engine/primitives/index.ts";
import { threefry2x32, uniformBelow, uniformF32, uniformF64 } from "../../engine/random.ts";

export type Memory = Float64Array;

/** Runs a program in memory laid out by its plan; returns the values of its outputs. */
export function interpret(program: Program, inputs: readonly ArrayLike<number>[]): Memory[] {
  // One f64 per byte of the plan: a buffer of n elements needs at least n bytes, so what the plan keeps apart is apart.
  const arena = new Float64Array(program.arena.bytes).fill(Number.NaN);
  const memory = program.buffers.map(({ length }, i) => {
    const offset = program.arena.offsets[i];
    return offset === undefined ? new Float64Array(length) : arena.subarray(offset, offset + length);
  });
  program.inputs.forEach((buffer, i) => {
    memory[buffer].set(inputs[i]);
  });
  runCalls(program, memory);
  return program.outputs.map((buffer) => Float64Array.from(memory[buffer]));
}

function runCalls(program: Program, memory: readonly Memory[]): void {
  for (const call of program.calls) {
    interpretKernel(
      program.kernels[call.kernel],
      call.args.map((buffer) => memory[buffer]),
    );
  }
  for (const [from, to] of program.copies) memory[to].set(memory[from]);
}

export function interpretKernel(kernel: Kernel, args: readonly Memory[]): void {
  switch (kernel.kind) {
    case "loop":
      interpretLoop(kernel, args);
      return;
    case "contract":
      interpretContract(kernel, args);
      for (const { loop, args: which } of kernel.epilogue?.loops ?? []) {
        interpretLoop(
          loop,
          which.map((i) => args[i]),
        );
      }
      return;
    case "grouped":
      interpretGrouped(kernel, args);
      return;
    case "scatter": {
      const [x, index, updates, out] = args;
      out.set(x);
      const { outer, count, inner, bound } = kernel;
      for (let o = 0; o < outer; o++) {
        for (let j = 0; j < count; j++) {
          for (let i = 0; i < inner; i++) {
            const from = (o * count + j) * inner + i;
            out[(o * bound + index[from]) * inner + i] += updates[from];
          }
        }
      }
      return;
    }
    case "scan":
      interpretScan(kernel, args);
      return;
    case "selective": {
      const inputs = kernel.gradient ? 9 : 6;
      const run = kernel.gradient ? selectiveScanGrad : selectiveScan;
      const all = run(kernel, args.slice(0, inputs));
      let start = 0;
      for (const out of args.slice(inputs)) {
        out.set(all.subarray(start, start + out.length));
        start += out.length;
      }
      return;
    }
    case "repeat":
      interpretRepeat(kernel, args);
      return;
    case "sort": {
      const [x, out] = args;
      const sign = kernel.descending ? -1 : 1;
      const order = (a: number, b: number): number => (a < b ? -sign : a > b ? sign : 0);
      const last = (a: number): number => Number(Number.isNaN(a));
      for (let r = 0; r < kernel.rows; r++) {
        const row = Array.from({ length: kernel.length }, (_, i) => i);
        const key = (i: number) => x[r * kernel.length + i];
        row.sort((i, j) => last(key(i)) - last(key(j)) || order(key(i), key(j)) || i - j);
        out.set(row.slice(0, kernel.kept), r * kernel.kept);
      }
    }
  }
}

function interpretRepeat({ body, length, reverse, bindings, starts }: RepeatKernel, args: readonly Memory[]): void {
  for (const { from, to } of starts) args[to].set(args[from]);
  const arena = args[args.length - 1];
  for (let step = 0; step < length; step++) {
    const at = reverse ? length - 1 - step : step;
    const memory = body.buffers.map((buffer, i) => {
      const bound = bindings.find((binding) => binding.buffer === i);
      const start = bound === undefined ? (body.arena.offsets[i] ?? 0) : at * bound.step;
      return (bound === undefined ? arena : args[bound.arg]).subarray(start, start + buffer.length);
    });
    runCalls(body, memory);
  }
}

function interpretScan(kernel: ScanKernel, args: readonly Memory[]): void {
  const { fn, outer, length, inner, reverse, lag, dtype } = kernel;
  const out = args[args.length - 1];
  const wrap = (value: number): number => (dtype === "i32" ? value | 0 : value);
  const times = dtype === "i32" ? Math.imul : (p: number, q: number) => p * q;
  for (let o = 0; o < outer; o++) {
    for (let step = 0; step < length; step++) {
      for (let i = 0; i < inner; i++) {
        const place = (t: number): number => (o * length + (reverse ? length - 1 - t : t)) * inner + i;
        const [at, before] = [place(step), place(step - 1)];
        const x = args[args.length - 2][at];
        if (fn === "sum") out[at] = wrap((step === 0 ? 0 : out[before]) + x);
        else if (step === 0) out[at] = x;
        else if (fn === "max") out[at] = Math.max(out[before], x);
        else out[at] = wrap(times(args[0][lag ? before : at], out[before]) + x);
      }
    }
  }
}

function interpretContract({ batch, m, n, k, a, b }: ContractKernel, [x, y, out]: readonly Memory[]): void {
  const [rowsA, colsA] = [range(m).map((i) => walked(i, a.row, a.rows)), range(k).map((p) => walked(p, a.col, a.cols))];
  const [rowsB, colsB] = [range(k).map((p) => walked(p, b.row, b.rows)), range(n).map((j) => walked(j, b.col, b.cols))];
  let flat = 0;
  for (const index of indices(batch)) {
    const at = (strides: readonly number[]) => index.reduce((sum, i, axis) => sum + i * strides[axis], 0);
    const [startA, startB] = [a.offset + at(a.batch), b.offset + at(b.batch)];
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += x[startA + rowsA[i] + colsA[p]] * y[startB + rowsB[p] + colsB[j]];
        out[flat++] = sum;
      }
    }
  }
}

/** Where index i of a matrix leads, along one axis or several at once. */
function walked(i: number, stride: number, axes: readonly WalkAxis[] | undefined): number {
  let rest = i;
  let at = 0;
  for (const axis of axes?.toReversed() ?? []) {
    at += (rest % axis.side) * axis.stride;
    rest = Math.floor(rest / axis.side);
  }
  return axes === undefined ? i * stride : at;
}

function interpretGrouped({ over, groups, m, n, k, a, b }: GroupedKernel, args: readonly Memory[]): void {
  const [x, y, offsets, out] = args;
  out.fill(0);
  const rows = over === "rows" ? m : k;
  for (let g = 0; g < groups; g++) {
    for (let r = 0; r < rows; r++) {
      if (r < offsets[g] || r >= offsets[g + 1]) continue;
      const [is, ps] = over === "rows" ? [[r], range(k)] : [range(m), [r]];
      for (const i of is) {
        for (let j = 0; j < n; j++) {
          for (const p of ps) {
            const left = x[a.offset + i * a.row + p * a.col];
            const right = y[b.offset + (over === "rows" ? g * b.batch[0] : 0) + p * b.row + j * b.col];
            out[(over === "rows" ? 0 : g * m * n) + i * n + j] += left * right;
          }
        }
      }
    }
  }
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

function* indices(sides: readonly number[]): Generator<number[]> {
  const index = sides.map(() => 0);
  if (sides.some((side) => side === 0)) return;
  for (;;) {
    yield index;
    let axis = sides.length - 1;
    while (axis >= 0 && ++index[axis] === sides[axis]) index[axis--] = 0;
    if (axis < 0) return;
  }
}

function interpretLoop(kernel: LoopKernel, args: readonly Memory[]): void {
  const rows = kernel.axes.slice(kernel.outer);
  const registers: number[] = [];
  for (const outer of indices(kernel.axes.slice(0, kernel.outer))) {
    const first = outer.slice(kernel.outer - (kernel.summed ?? 0)).every((i) => i === 0);
    for (const stage of kernel.stages) {
      if (stage.over === "point") {
        const values = evaluateStage(stage, outer, args, registers);
        for (const { register, value } of stage.keeps) registers[register] = values[value];
        continue;
      }
      const sums = stage.folds.map(({ op, register, parts = 1 }) =>
        new Array<number>(parts).fill(reduceIdentity(op, kernel.registers[register])),
      );
      const line = rows.findLastIndex((side) => side !== 1);
      for (const row of indices(rows)) {
        const values = evaluateStage(stage, [...outer, ...row], args, registers, first);
        stage.folds.forEach(({ op, value, register }, i) => {
          const part = line < 0 ? 0 : row[line] % sums[i].length;
          sums[i][part] = fold(op, kernel.registers[register], sums[i][part], values[value]);
        });
      }
      stage.folds.forEach(({ op, register }, i) => {
        let parts = sums[i];
        while (parts.length > 1) {
          const half = parts.length / 2;
          const dtype = kernel.registers[register];
          parts = parts.slice(0, half).map((part, p) => fold(op, dtype, part, parts[p + half]));
        }
        registers[register] = parts[0];
      });
    }
  }
}

function fold(op: ReduceOp, dtype: DType, x: number, y: number): number {
  if (dtype === "i32") return op === "prod" ? Math.imul(x, y) : (primitives[op].scalar as Combine)(x, y) | 0;
  return roundTo(dtype, (primitives[op].scalar as Combine)(x, y));
}

type Combine = (p: number, q: number) => number;

function evaluateStage(
  stage: Stage,
  index: readonly number[],
  args: readonly Memory[],
  registers: readonly number[],
  first = true,
): number[] {
  const values: number[] = [];
  for (const instr of stage.instrs) values.push(evaluateInstr(instr, stage.instrs, values, index, args, registers));
  for (const { arg, access, value, add } of stage.stores) {
    const at = position(access, index);
    if (add === undefined) args[arg][at] = values[value];
    else args[arg][at] = (first ? 0 : args[arg][at]) + values[value];
  }
  return values;
}

function position(access: Access, index: readonly number[]): number {
  const at = locate(access, index);
  if (at === undefined || access.length > 1) throw new Error("a store is masked, or does not go in steps");
  return at;
}

function evaluateInstr(
  instr: Instr,
  all: readonly Instr[],
  values: readonly number[],
  index: readonly number[],
  args: readonly Memory[],
  registers: readonly number[],
): number {
  switch (instr.op) {
    case "load": {
      const at = locate(instr.access, index);
      if (at === undefined) return instr.fill;
      if (at < 0 || at >= args[instr.arg].length) throw new Error(`a load at ${at} is outside its buffer`);
      return args[instr.arg][at];
    }
    case "gather":
      return args[instr.arg][(locate(instr.access, index) as number) + values[instr.index] * instr.stride];
    case "index":
      return locate(instr.access, index) ?? instr.fill;
    case "const":
      return roundTo(instr.dtype, instr.value);
    case "register":
      return registers[instr.register];
    case "apply": {
      const operands = instr.args.map((at) => values[at]);
      if (instr.fn === "uniform") return uniform(instr.dtype, operands);
      if (instr.fn === "cast") return roundTo(instr.dtype, operands[0]);
      const integer = instr.dtype === "i32" && instr.fn !== "where";
      const scalar = primitives[instr.fn].scalar as (...numbers: number[]) => number;
      const [first] = instr.args;
      // Comparisons of integers give bool: they are the same in f64.
      return integer && all[first].dtype === "i32" ? integerScalar(instr.fn, ...operands) : scalar(...operands);
    }
  }
}

function uniform(dtype: DType, [key0, key1, counter, index, bound]: readonly number[]): number {
  const [hi, lo] = threefry2x32(key0, key1, index, counter);
  if (dtype === "i32") return uniformBelow(hi, lo, bound >>> 0 || 2 ** 32);
  return dtype === "f32" ? uniformF32(hi) : uniformF64(hi, lo);
}
