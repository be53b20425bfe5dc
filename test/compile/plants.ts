// Errors a compiler can make, planted in programs it has made: transformations of the IR and of the memory plan.

import type { EpilogueLoop, Instr, Kernel, LoopKernel, Program, Stage } from "../../engine/compile/ir.ts";
import { overwritable } from "../../engine/compile/plan.ts";
import type { View } from "../../engine/compile/view.ts";
import { lifetimes } from "../support/oracle.ts";

/** A program with an error in it, or undefined where there is nothing to get wrong. `pick` chooses among the places. */
export type Plant = (program: Program, pick: number) => Program | undefined;

/** One of the changed versions there can be. */
function oneOf<T>(options: readonly T[], pick: number): T | undefined {
  return options.length === 0 ? undefined : options[pick % options.length];
}

/** Changes one kernel. */
const inKernel =
  (versions: (kernel: Kernel) => readonly Kernel[]): Plant =>
  (program, pick) => {
    const options = program.kernels.flatMap((kernel, at) =>
      versions(kernel).map((made) => ({ ...program, kernels: program.kernels.with(at, made) })),
    );
    return oneOf(options, pick);
  };

const inEpilogue = (versions: (loops: readonly EpilogueLoop[]) => readonly (readonly EpilogueLoop[])[]): Plant =>
  inKernel((kernel) => {
    if (kernel.kind !== "contract" || kernel.epilogue === undefined) return [];
    const { kept, loops } = kernel.epilogue;
    return versions(loops).map((made) => ({ ...kernel, epilogue: { kept, loops: made } }));
  });

/** Changes one loop, of its own or after a product. */
const inLoop =
  (versions: (kernel: LoopKernel) => readonly LoopKernel[]): Plant =>
  (program, pick) => {
    const alone = inKernel((kernel) => (kernel.kind === "loop" ? versions(kernel) : []));
    const after = inEpilogue((loops) =>
      loops.flatMap((each, i) => versions(each.loop).map((loop) => loops.with(i, { ...each, loop }))),
    );
    const half = Math.floor(pick / 2);
    const [first, second] = pick % 2 === 0 ? [alone, after] : [after, alone];
    return first(program, half) ?? second(program, half);
  };

/** Changes one stage of a loop. */
const inStage = (versions: (stage: Stage, kernel: LoopKernel) => readonly Stage[]): Plant =>
  inLoop((kernel) =>
    kernel.stages.flatMap((stage, at) =>
      versions(stage, kernel).map((made) => ({ ...kernel, stages: kernel.stages.with(at, made) })),
    ),
  );

/** Changes one instruction. */
const inInstr = (versions: (instr: Instr) => readonly Instr[]): Plant =>
  inStage((stage) =>
    stage.instrs.flatMap((instr, at) =>
      versions(instr).map((made) => ({ ...stage, instrs: stage.instrs.with(at, made) })),
    ),
  );

/** Changes the views of one load. */
const inLoad = (versions: (view: View) => readonly View[]): Plant =>
  inInstr((instr) =>
    instr.op !== "load"
      ? []
      : instr.access.flatMap((view, at) =>
          versions(view).map((made) => ({ ...instr, access: instr.access.with(at, made) })),
        ),
  );

const writes = (program: Program, call: number): number[] => {
  const { kernel, args } = program.calls[call];
  return args.filter((_, i) => program.kernels[kernel].args[i].mode !== "read");
};

const swapped = <T>(list: readonly T[], i: number, j: number): T[] => list.with(i, list[j]).with(j, list[i]);

/** Buffer `to` where buffer `from` lies. */
const moved = (program: Program, from: number, to: number): Program => ({
  ...program,
  arena: { ...program.arena, offsets: program.arena.offsets.with(to, program.arena.offsets[from]) },
});

export const plants: Readonly<Record<string, Plant>> = {
  "a call before the one it reads from": (program, pick) => {
    const places = program.calls.flatMap((call, i) =>
      i > 0 && writes(program, i - 1).some((buffer) => call.args.includes(buffer)) ? [i] : [],
    );
    const at = oneOf(places, pick);
    return at === undefined ? undefined : { ...program, calls: swapped(program.calls, at - 1, at) };
  },
  "a stage before the one whose registers it reads": inLoop((kernel) =>
    kernel.stages.slice(1).map((_, i) => ({ ...kernel, stages: swapped(kernel.stages, i, i + 1) })),
  ),
  "reordered store: a value stored before the instruction that makes it": inStage((stage) =>
    stage.stores.flatMap((store, i) =>
      store.value === 0 ? [] : [{ ...stage, stores: stage.stores.with(i, { ...store, value: store.value - 1 }) }],
    ),
  ),
  "stores exchanged": inStage((stage) =>
    stage.stores.length < 2
      ? []
      : [
          {
            ...stage,
            stores: stage.stores
              .with(0, { ...stage.stores[0], value: stage.stores[1].value })
              .with(1, { ...stage.stores[1], value: stage.stores[0].value }),
          },
        ],
  ),
  "wrong tail: what is left beside full vectors is not computed": inLoop((kernel) => {
    const at = kernel.axes.length - 1;
    const side = kernel.axes[at];
    return at < 0 || side % 4 === 0 ? [] : [{ ...kernel, axes: kernel.axes.with(at, side - (side % 4)) }];
  }),
  "a reduction without its last element": inLoop((kernel) =>
    kernel.axes.flatMap((side, axis) =>
      axis < kernel.outer || side < 2 || !kernel.stages.some((stage) => stage.folds.length > 0)
        ? []
        : [{ ...kernel, axes: kernel.axes.with(axis, side - 1) }],
    ),
  ),
  "another fold": inStage((stage) =>
    stage.folds.map((fold, i) => ({
      ...stage,
      folds: stage.folds.with(i, { ...fold, op: fold.op === "max" ? "sum" : "max" }),
    })),
  ),
  "a register of another fold": inInstr((instr) =>
    instr.op === "register" && instr.register > 0 ? [{ ...instr, register: instr.register - 1 }] : [],
  ),
  "operands exchanged": inInstr((instr) =>
    instr.op === "apply" && (instr.fn === "sub" || instr.fn === "div" || instr.fn === "less")
      ? [{ ...instr, args: instr.args.toReversed() }]
      : [],
  ),
  "an offset forgotten": inLoad((view) => (view.offset > 0 ? [{ ...view, offset: 0 }] : [])),
  "a stride of the axis beside it": inLoad((view) =>
    view.strides.flatMap((stride, axis) =>
      axis > 0 && view.shape[axis] > 1 && view.shape[axis - 1] > 1 && stride !== view.strides[axis - 1]
        ? [{ ...view, strides: swapped(view.strides, axis - 1, axis) }]
        : [],
    ),
  ),
  "a broadcast axis walked": inLoad((view) =>
    view.strides.flatMap((stride, axis) =>
      stride === 0 && view.shape[axis] > 1 ? [{ ...view, strides: view.strides.with(axis, 1) }] : [],
    ),
  ),
  "a mask one too wide": inLoad((view) =>
    (view.mask ?? []).flatMap(([lo, hi], axis) =>
      hi < view.shape[axis] ? [{ ...view, mask: view.mask?.with(axis, [lo, hi + 1] as const) }] : [],
    ),
  ),
  "a mask one too narrow": inLoad((view) =>
    (view.mask ?? []).flatMap(([lo, hi], axis) =>
      hi > lo ? [{ ...view, mask: view.mask?.with(axis, [lo + 1, hi] as const) }] : [],
    ),
  ),
  "padding with 0, whatever was asked for": inInstr((instr) =>
    instr.op === "load" && instr.fill !== 0 ? [{ ...instr, fill: 0 }] : [],
  ),
  "kernels taken for equal that differ in a constant": (program) => {
    const text = (kernel: Kernel): string => JSON.stringify(kernel).replace(/"(value|fill)":-?[\d.e-]+/g, "0");
    const firsts = program.kernels.map((kernel) => program.kernels.findIndex((other) => text(other) === text(kernel)));
    if (firsts.every((first, i) => first === i)) return undefined;
    return { ...program, calls: program.calls.map((call) => ({ ...call, kernel: firsts[call.kernel] })) };
  },
  "a product's operand read across": inKernel((kernel) =>
    kernel.kind === "contract" && kernel.m > 1 && kernel.k > 1 && kernel.a.rows === undefined
      ? [{ ...kernel, a: { ...kernel.a, row: kernel.a.col, col: kernel.a.row } }]
      : [],
  ),
  "a product without its last terms": inKernel((kernel) =>
    kernel.kind === "contract" && kernel.k > 1 ? [{ ...kernel, k: kernel.k - 1 }] : [],
  ),
  "what follows a product done once more, as after each of several blocks of k": inEpilogue((loops) =>
    loops.map((each, i) => loops.toSpliced(i, 0, each)),
  ),
  "what follows a product left out": inEpilogue((loops) => loops.map((_, i) => loops.toSpliced(i, 1))),
  "what follows a product with the arguments of others": inEpilogue((loops) =>
    loops.flatMap((each, i) =>
      each.args.length > 2 ? [loops.with(i, { ...each, args: swapped(each.args, 1, 2) })] : [],
    ),
  ),
  "every batch the first": inKernel((kernel) =>
    kernel.kind === "contract" && kernel.batch.length > 0
      ? [{ ...kernel, b: { ...kernel.b, batch: kernel.b.batch.map(() => 0) } }]
      : [],
  ),
  "a scan the other way": inKernel((kernel) =>
    kernel.kind === "scan" && kernel.length > 1 ? [{ ...kernel, reverse: !kernel.reverse }] : [],
  ),
  "a scan's coefficient of the wrong step": inKernel((kernel) =>
    kernel.kind === "scan" && kernel.fn === "linear" && kernel.length > 1 ? [{ ...kernel, lag: !kernel.lag }] : [],
  ),
  "a scatter that loses its last update": inKernel((kernel) =>
    kernel.kind === "scatter" && kernel.count > 0 ? [{ ...kernel, inner: kernel.inner, count: kernel.count - 1 }] : [],
  ),
  "a gather one row off": inInstr((instr) =>
    instr.op === "gather" && instr.bound > 1 ? [{ ...instr, stride: instr.stride + 1 }] : [],
  ),
  "overlapping arena slots": (program, pick) => {
    const alive = lifetimes(program);
    const pairs = alive.flatMap((a) =>
      alive
        .filter((b) => a.buffer !== b.buffer && a.from < b.from && b.from < a.to && a.start !== b.start)
        .map((b) => [a.buffer, b.buffer] as const),
    );
    const pair = oneOf(pairs, pick);
    return pair && moved(program, ...pair);
  },
  "half a slot shared": (program, pick) => {
    const alive = lifetimes(program).filter((a) => a.end - a.start >= 16);
    const pairs = alive.flatMap((a) =>
      alive
        .filter((b) => a.buffer !== b.buffer && a.from < b.from && b.from < a.to && a.start !== b.start)
        .map((b) => [a, b] as const),
    );
    const pair = oneOf(pairs, pick);
    if (pair === undefined) return undefined;
    // The interpreter has one number for each byte of the plan.
    const length = program.buffers[pair[0].buffer].length;
    const offsets = program.arena.offsets.with(pair[1].buffer, pair[0].start + Math.floor(length / 2));
    return { ...program, arena: { bytes: 2 * program.arena.bytes, offsets } };
  },
  "written in place where others still read": (program, pick) => {
    const places = program.calls.flatMap(({ kernel: number, args }) => {
      const kernel = program.kernels[number];
      if (kernel.kind !== "loop") return [];
      return args.flatMap((from, read) =>
        args.flatMap((to, write) => {
          const modes = [kernel.args[read].mode, kernel.args[write].mode];
          const apart = program.arena.offsets[from] !== program.arena.offsets[to];
          const unsafe = modes.join() === "read,write" && !overwritable(kernel, read, write);
          return unsafe && apart && program.arena.offsets[from] !== undefined ? [[from, to] as const] : [];
        }),
      );
    });
    const place = oneOf(places, pick);
    return place && moved(program, ...place);
  },
};
