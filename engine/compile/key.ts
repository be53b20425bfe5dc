// Texts that are equal for equal pieces of the IR: how instructions and kernels that occur twice are found.

import type { Instr, Kernel } from "./ir.ts";

/** Numbers JSON has no word for, or would confuse: NaN, infinities, minus zero. */
const special = (value: number): boolean => !Number.isFinite(value) || Object.is(value, -0);

/** The constant of an instruction, if it has one. */
const constantOf = (instr: Instr): number =>
  instr.op === "const" ? instr.value : instr.op === "load" || instr.op === "index" ? instr.fill : 0;

export function instrKey(instr: Instr): string {
  const value = constantOf(instr);
  return special(value) ? `${JSON.stringify(instr)}${1 / value}:${value}` : JSON.stringify(instr);
}

export function kernelKey(kernel: Kernel): string {
  const text = JSON.stringify(kernel);
  if (kernel.kind !== "loop") return text;
  const constants = kernel.stages.flatMap((stage) => stage.instrs.map(constantOf));
  return text + constants.map((value, i) => (special(value) ? `${i}:${1 / value}:${value};` : "")).join("");
}
