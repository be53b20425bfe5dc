// Texts that are equal for equal pieces of the IR: how instructions and kernels that occur twice are found.

import type { ContractKernel, Instr, Kernel, LoopKernel, Stage } from "./ir.ts";
import type { Access } from "./view.ts";

/** A text of its own for every number: minus zero too. */
const number = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

function accessKey(access: Access): string {
  let key = "";
  for (const { shape, strides, offset, mask } of access) key += `${shape};${strides};${offset};${mask ?? ""}|`;
  return key;
}

export function instrKey(instr: Instr): string {
  const { op, dtype } = instr;
  switch (op) {
    case "load":
      return `load ${dtype} ${instr.arg} ${number(instr.fill)} ${accessKey(instr.access)}`;
    case "gather":
      return `gather ${dtype} ${instr.arg} ${instr.index} ${instr.stride} ${instr.bound} ${instr.source.source} ${instr.source.axis} ${accessKey(instr.access)}`;
    case "index":
      return `index ${number(instr.fill)} ${accessKey(instr.access)}`;
    case "const":
      return `const ${dtype} ${number(instr.value)}`;
    case "register":
      return `register ${dtype} ${instr.register}`;
    case "apply":
      return `${instr.fn} ${dtype} ${instr.args}`;
  }
}

function stageKey({ over, instrs, stores, folds, keeps }: Stage): string {
  const stored = stores.map(({ arg, access, value, add }) => `${arg} ${value} ${add ?? ""} ${accessKey(access)}`);
  const folded = folds.map(({ op, value, register, parts }) => `${op} ${value} ${register} ${parts ?? ""}`);
  const kept = keeps.map(({ value, register }) => `${value} ${register}`);
  return [over, ...instrs.map(instrKey), "stores", ...stored, "folds", ...folded, "keeps", ...kept].join("\n");
}

function loopKey({ axes, outer, summed, lanes, args, registers, stages }: LoopKernel): string {
  const modes = args.map(({ dtype, mode }) => `${dtype} ${mode}`);
  return [`loop ${axes}|${outer}|${summed ?? 0}|${lanes}|${modes}|${registers}`, ...stages.map(stageKey)].join("\n");
}

function contractKey({ epilogue, ...product }: ContractKernel): string {
  const loops = epilogue?.loops.map(({ loop, args }) => `${args}\n${loopKey(loop)}`) ?? [];
  return [JSON.stringify(product), epilogue?.kept, ...loops].join("\n");
}

export function kernelKey(kernel: Kernel): string {
  if (kernel.kind === "loop") return loopKey(kernel);
  return kernel.kind === "contract" ? contractKey(kernel) : JSON.stringify(kernel);
}
