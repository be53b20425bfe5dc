// A program as text: kernels, what each reads and writes, bytes moved, multiply-adds, and the memory plan.

import type { Kernel, KernelCall, LoopKernel, Program } from "./ir.ts";
import { bytesOf } from "./plan.ts";

export function explainProgram(program: Program): string {
  const lines = program.calls.flatMap((call, i) => describeAll(program, call, String(i).padStart(4)));
  const state = program.buffers.filter((b) => b.role === "state").reduce((sum, b) => sum + bytesOf(b), 0);
  const { offsets } = program.arena;
  const total = program.buffers.filter((_, i) => offsets[i] !== undefined).reduce((sum, b) => sum + bytesOf(b), 0);
  const summary =
    `${program.calls.length} kernel calls of ${program.kernels.length} kernels; ` +
    `arena ${program.arena.bytes} bytes for ${total} bytes of values; state ${state} bytes; ` +
    `${program.copies.length} state copies`;
  return [summary, ...lines].join("\n");
}

/** A call, and for a loop the calls of its body. */
function describeAll(program: Program, call: KernelCall, label: string): string[] {
  const kernel = program.kernels[call.kernel];
  const inner = kernel.kind === "repeat" ? kernel.body : undefined;
  const below = inner?.calls.flatMap((step, i) => describeAll(inner, step, `${" ".repeat(label.length)}  ${i}`)) ?? [];
  return [`${label}  ${describe(program, call)}`, ...below];
}

function describe(program: Program, call: KernelCall): string {
  const kernel = program.kernels[call.kernel];
  const names = (mode: string) =>
    kernel.args.flatMap((arg, i) => {
      if (arg.mode !== mode && arg.mode !== "readwrite") return [];
      const buffer = program.buffers[call.args[i]];
      return [`${buffer.role[0]}${call.args[i]}:${buffer.dtype}x${buffer.length}`];
    });
  const bytes = call.args.reduce((sum, buffer) => sum + bytesOf(program.buffers[buffer]), 0);
  return `${title(kernel)}  ${names("read").join(" ")} -> ${names("write").join(" ")}  (${bytes} B)`;
}

function title(kernel: Kernel): string {
  switch (kernel.kind) {
    case "loop":
      return loopTitle(kernel);
    case "contract": {
      const work = [...kernel.batch, kernel.m, kernel.n, kernel.k].reduce((a, b) => a * b, 1);
      const then = kernel.epilogue?.loops.map(({ loop }) => ` then ${loopTitle(loop)}`) ?? [];
      return `contract[${[...kernel.batch, kernel.m, kernel.k, kernel.n].join("x")}] ${work} multiply-adds${then.join("")}`;
    }
    case "grouped": {
      const { over, groups, m, k, n } = kernel;
      return `grouped[${groups} groups of ${over === "rows" ? "m" : "k"}, ${m}x${k}x${n}] ${m * k * n} multiply-adds`;
    }
    case "scatter":
      return `scatterAdd[${kernel.outer}x${kernel.count}->${kernel.bound}x${kernel.inner}]`;
    case "scan":
      return `scan[${kernel.outer}x${kernel.length}x${kernel.inner}] ${kernel.fn}${kernel.reverse ? " reversed" : ""}`;
    case "selective": {
      const sides = `${kernel.batch}x${kernel.length}x${kernel.channels}x${kernel.states}`;
      return `selectiveScan[${sides}]${kernel.gradient ? " gradient" : ""}`;
    }
    case "repeat":
      return `repeat[${kernel.length}]${kernel.reverse ? " reversed" : ""} ${kernel.body.calls.length} kernel calls`;
    case "sort":
      return `argsort[${kernel.rows}x${kernel.length}]${kernel.kept === kernel.length ? "" : ` first ${kernel.kept}`}`;
  }
}

function loopTitle(kernel: LoopKernel): string {
  const space = `${kernel.axes.slice(0, kernel.outer).join("x")}|${kernel.axes.slice(kernel.outer).join("x")}`;
  const stages = kernel.stages.map((stage) => {
    const work = stage.instrs.flatMap((instr) => (instr.op === "apply" ? [instr.fn] : []));
    const folds = stage.folds.map(({ op, parts = 1 }) => (parts === 1 ? op : `${op} in ${parts} parts`));
    const columns = stage.stores.flatMap((store) => (store.add ? ["column sum"] : []));
    return `${stage.over}(${[...work, ...folds, ...columns].join(" ")})`;
  });
  return `loop[${space}]${kernel.lanes === "outer" ? " lanes outer" : ""} ${stages.join(" ")}`;
}
