// Loops over the result of a product, run on its blocks as they become final: the code of each is a function over a
// range of rows and columns, with the scalar code of `loops/`, so that results are those of a loop of its own.

import type { ContractKernel, LoopKernel } from "../../../compile/ir.ts";
import type { Access, View } from "../../../compile/view.ts";
import type { FunctionBuilder } from "../assembler/asm.ts";
import { Body } from "../loops/body.ts";
import { Cursor, type Slot } from "../loops/cursor.ts";
import { emitNest } from "../loops/loop.ts";
import { nestOf, rowsNest } from "../loops/nest.ts";
import { Planner } from "../loops/plan.ts";
import { LocalRegisters } from "../loops/registers.ts";
import { stageWeight } from "../loops/stage.ts";
import type { Env } from "../vector/env.ts";
import { type Local, Vector } from "../vector/vector.ts";
import type { Finish, FinishedBlock } from "./drive.ts";
import { type Plan, planGemm } from "./plan.ts";
import { push, sum } from "./ranges.ts";

const fewTerms = 32;

/**
 * Whether the kernel of a product can run a loop over its result. Not where the loop is better off alone: operands that
 * lie across the result's order are read in tiles there, and long rows of a product of few terms stream better whole
 * than in pieces (256x8x1000 with a residual lost 3 %).
 */
export function takesEpilogue(product: ContractKernel, loop: LoopKernel): boolean {
  const plan = planGemm(product, false);
  const streams = plan.direct === undefined && plan.n > plan.blockN && plan.k < fewTerms;
  return !streams && alongRows(loop, plan) !== undefined && nestOf(loop).across.size === 0;
}

/** The code that runs a product's epilogue, if it has one. */
export function finishOf(env: Env, product: ContractKernel, name: string): Finish | undefined {
  if (product.epilogue === undefined) return undefined;
  const plan = planGemm(product, env.fma);
  const maps = product.epilogue.loops.map(({ loop, args }, i) => {
    const way = alongRows(loop, plan);
    if (way === undefined) throw new Error("wasm: a product was given an epilogue that it cannot run");
    const title = `${name}epilogue${i}`;
    if (way.by === "rows") return { way, args, index: emitNest(env, rowsNest(way.loop), title) };
    return { way, args, index: emitMap(env, way.loop, title, way.tails) };
  });
  const emit = (f: FunctionBuilder, { rows, cols, before, args: own }: FinishedBlock): void => {
    for (const { way, args, index } of maps) {
      for (const arg of args) push(f, own[arg]);
      const [from, to] = rows.map((row) => sum(f, before, [row, 1]));
      const flat = () => [from, to].map((row) => sum(f, 0, [row, plan.n]));
      const range = { rows: () => [from, to], elements: () => [0, 1, ...flat()], columns: () => [from, to, ...cols] };
      for (const end of range[way.by]()) push(f, end);
      f.call(index);
    }
  };
  return { args: product.args.length, emit };
}

/**
 * How a loop runs over a block. `rows`: whole ones, its last axis being a row of the product as it is computed.
 * `columns`: a range of each row. `elements`: rows that are one range of its only axis.
 */
interface Way {
  readonly by: "rows" | "columns" | "elements";
  readonly loop: LoopKernel;
  /** How many elements a range can leave after whole vectors. */
  readonly tails: readonly number[];
}

/** A loop in the axes of a plan; undefined where strides cannot say it. */
function alongRows(loop: LoopKernel, plan: Plan): Way | undefined {
  const width = rowsNest(loop).width;
  const tails = (whole: number, rest: number): number[] =>
    (whole % width === 0 ? [rest % width] : Array.from({ length: width }, (_, i) => i)).filter((tail) => tail > 0);
  const { n, cols, split, path, blockN } = plan;
  // What runs over memory in order needs no rows, if blocks are whole rows.
  const wholeRows = split === "rows" && (path === "dot" || n <= blockN);
  if (loop.axes.length === 1 && wholeRows) return { by: "elements", loop, tails: tails(n, n) };
  const rows = withLast(loop, n);
  return rows && { by: wholeRows ? "rows" : "columns", loop: rows, tails: tails(cols, n) };
}

/** The loop with its last axis cut into rows of `n`. */
function withLast(loop: LoopKernel, n: number): LoopKernel | undefined {
  const last = loop.axes.length - 1;
  const side = loop.axes[last];
  if (side === n) return loop;
  if (n === 0 || side % n !== 0) return undefined;
  const [{ instrs, stores, ...stage }] = loop.stages;
  const isCut = ({ mask }: View): boolean => mask !== undefined && (mask[last][0] > 0 || mask[last][1] < side);
  if (instrs.some((instr) => "access" in instr && isCut(instr.access[0]))) return undefined;
  const cutAccess = ([{ shape, strides, mask, offset }, ...rest]: Access): Access => {
    const view = {
      shape: shape.toSpliced(last, 1, side / n, n),
      strides: strides.toSpliced(last, 1, strides[last] * n, strides[last]),
      offset,
      mask: mask?.toSpliced(last, 1, [0, side / n], [0, n]),
    };
    return [view, ...rest];
  };
  const cut = <T extends { readonly access: Access }>(part: T): T => ({ ...part, access: cutAccess(part.access) });
  return {
    ...loop,
    axes: loop.axes.toSpliced(last, 1, side / n, n),
    outer: last + 1,
    stages: [
      { ...stage, instrs: instrs.map((instr) => ("access" in instr ? cut(instr) : instr)), stores: stores.map(cut) },
    ],
  };
}

/**
 * Index of the function (address of each argument, rowFrom, rowTo, colFrom, colTo) that runs a map over a range of its
 * rows (all axes but the last) and columns.
 */
function emitMap(env: Env, loop: LoopKernel, name: string, tails: readonly number[]): number {
  const params = loop.args.length;
  return env.module.func(name, new Array(params + 4).fill("i32"), [], (f) => {
    const [row, rowTo, colFrom, colTo] = [params, params + 1, params + 2, params + 3];
    const v = new Vector(f, env);
    const nest = rowsNest(loop);
    const c = new Cursor(v, nest);
    const planner = new Planner(nest);
    const plan = planner.plan(loop.stages[0]);
    const body = new Body(c, plan, new LocalRegisters(v, nest));
    const last = nest.sides.length - 1;
    const outer = nest.sides.slice(0, last).map((side) => ({ side, index: v.fresh("i32") }));
    const rest = v.fresh("i32");
    const pointers = [...planner.groups.values()].map((group) => ({ group, pointer: v.fresh("i32") }));

    /** Sets the pointers to the first column of the row. */
    const start = (): void => {
      f.get(row).set(rest);
      outer.toReversed().forEach(({ side, index }, i) => {
        if (i === outer.length - 1) f.get(rest).set(index);
        else {
          f.get(rest).i32(side).op("i32.rem_u").set(index);
          f.get(rest).i32(side).op("i32.div_u").set(rest);
        }
      });
      for (const { group, pointer } of pointers) {
        f.i32(group.offset * group.scale);
        if (group.arg !== undefined) f.get(group.arg).op("i32.add");
        [...outer.map(({ index }) => index), colFrom].forEach((index, axis) => {
          const stride = group.strides[axis] * group.scale;
          if (stride !== 0) f.get(index).i32(stride).op("i32.mul").op("i32.add");
        });
        f.set(pointer);
        c.place(group, pointer);
      }
    };
    const vector = (slot: Slot): void =>
      v.scope(() => {
        body.slot(plan.innermost, slot, false);
        body.effects(slot);
      });
    const line = (): void => {
      for (const condition of plan.conditions) c.hold(condition);
      body.shared(1, [{ index: 0, first: 0, live: nest.width }], true);
      c.moving(plan.groups, last, (advance) => {
        const left = v.fresh("i32");
        const vectors = (count: number): void => {
          for (let i = 0; i < count; i++) vector({ index: i, first: i * nest.width, live: nest.width });
        };
        f.get(colTo).get(colFrom).op("i32.sub").set(left);
        const unroll = unrollOf(stageWeight(plan));
        for (const count of unroll > 1 ? [unroll, 1] : [1])
          whileAtLeast(f, left, count * nest.width, () => {
            vectors(count);
            advance(count * nest.width);
          });
        for (const tail of tails) {
          f.get(left).i32(tail).op("i32.eq");
          f.if(() => vector({ index: 0, first: 0, live: tail }));
        }
      });
    };
    const next = (): void => {
      if (outer.length > 1) {
        start();
        return;
      }
      for (const { group, pointer } of pointers) {
        const stride = outer.length === 0 ? 0 : group.strides[0] * group.scale;
        if (stride !== 0) f.get(pointer).i32(stride).op("i32.add").set(pointer);
      }
    };
    f.get(row).get(rowTo).op("i32.lt_s");
    f.if(() => {
      start();
      f.loop(() => {
        v.scope(line);
        f.get(row).i32(1).op("i32.add").tee(row).get(rowTo).op("i32.lt_s");
        f.if(() => {
          next();
          f.br(1);
        });
      });
    });
  });
}

/** Light bodies gain from several vectors in a round; heavy ones nothing. */
const unrollOf = (weight: number): number => (weight <= 10 ? 4 : weight <= 20 ? 2 : 1);

/** Runs `body` while the local holds at least `step`, and takes `step` from it each time. */
function whileAtLeast(f: FunctionBuilder, left: Local, step: number, body: () => void): void {
  f.block(() =>
    f.loop(() => {
      f.get(left).i32(step).op("i32.lt_s").brIf(1);
      body();
      f.get(left).i32(step).op("i32.sub").set(left).br(0);
    }),
  );
}
