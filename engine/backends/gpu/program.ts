// Program -> plan: its steps on the device, its part on the host, and when each slot is no longer needed.

import type { KernelCall, LoopKernel, Program } from "../../compile/ir.ts";
import { DTypeError, SluiceError } from "../../errors.ts";
import { type Check, checksOf } from "./checks.ts";
import { emitGrouped, type TileStyle } from "./contract.ts";
import { emitContraction } from "./epilogue.ts";
import { type HostPart, hostPart } from "./host.ts";
import { emitScatter, emitSort } from "./indexed.ts";
import { emitLoop, type KeyOf, type KeySource } from "./loop.ts";
import { emitRepeat } from "./repeat.ts";
import { emitScan } from "./scan.ts";
import { emitSelective } from "./selective.ts";
import { type Step, Steps } from "./steps.ts";
import { anyWhole } from "./value.ts";

/** A random key of the plan: evaluated on the host before the steps. */
export interface PlannedKey extends KeySource {
  /** Buffers of the kernel's arguments. */
  readonly args: readonly number[];
  /** How many host calls come before it. */
  readonly after: number;
}

/** A slot the device needs that holds a host buffer's value at some point. */
export interface HostUpload {
  readonly slot: number;
  readonly buffer: number;
  readonly after: number;
}

export interface Plan {
  readonly program: Program;
  readonly steps: readonly Step[];
  readonly lengths: readonly number[];
  readonly host: HostPart;
  readonly hostCalls: readonly KernelCall[];
  readonly uploads: readonly HostUpload[];
  readonly keys: readonly PlannedKey[];
  /** Slot of each input of the program; undefined where the device does not read it. */
  readonly inputs: readonly (number | undefined)[];
  /** Slot of each output; undefined where it is on the host. */
  readonly outputs: readonly (number | undefined)[];
  /** What must hold of inputs that the host has. */
  readonly checks: readonly Check[];
  /** Slots to let go of after each step. */
  readonly dead: readonly (readonly number[])[];
}

export interface PlanOptions {
  /** Array arguments a kernel may have. */
  readonly maxArrays: number;
  /** How threads that return four values compute, if they can. */
  readonly tiles: TileStyle;
}

/** Plans a program. Throws a DTypeError for f64 and a ShapeError for tensors the device cannot address. */
export function planProgram(program: Program, options: PlanOptions): Plan {
  return new Planner(program, options).plan();
}

/** Numbers the keys of a loop with these arguments. */
type KeyIn = (args: readonly number[]) => KeyOf;

class Planner {
  readonly #program: Program;
  readonly #options: PlanOptions;
  readonly #steps: Steps;
  readonly #slots: (number | undefined)[];
  readonly #host: HostPart;
  readonly #hostCalls: KernelCall[] = [];
  readonly #uploads: HostUpload[] = [];
  readonly #keys: PlannedKey[] = [];

  constructor(program: Program, options: PlanOptions) {
    this.#program = program;
    this.#options = options;
    this.#steps = new Steps(options.maxArrays);
    this.#slots = program.buffers.map(() => undefined);
    this.#host = hostPart(program);
  }

  plan(): Plan {
    const program = this.#program;
    refuseDoubles(program);
    const inputs = program.inputs.map((buffer) => {
      if (this.#host.buffers.has(buffer)) return undefined;
      this.#slots[buffer] ??= this.#slot(buffer);
      return this.#slots[buffer];
    });
    program.calls.forEach((call, at) => {
      if (this.#host.calls.has(at)) this.#hostCalls.push(call);
      else this.#call(call);
    });
    // All are read before any is written.
    const copied = program.copies.map(([from]) => this.#slots[from]);
    program.copies.forEach(([, to], i) => {
      this.#slots[to] = copied[i];
    });
    const outputs = program.outputs.map((buffer) =>
      this.#host.buffers.has(buffer) ? undefined : this.#output(buffer),
    );
    return {
      program,
      steps: this.#steps.list,
      lengths: this.#steps.lengths,
      host: this.#host,
      hostCalls: this.#hostCalls,
      uploads: this.#uploads,
      keys: this.#keys,
      inputs,
      outputs,
      checks: checksOf(program),
      dead: deadAfter(this.#steps.list, inputs, outputs),
    };
  }

  /** A slot for what comes from outside: whole numbers may be any. */
  #slot(buffer: number): number {
    const { length, dtype } = this.#program.buffers[buffer];
    return dtype === "i32" ? this.#steps.slot(length, anyWhole) : this.#steps.slot(length);
  }

  /** What leaves a program is held as any other one takes it. Results without elements are written by nothing. */
  #output(buffer: number): number {
    const slot = this.#slots[buffer] ?? this.#slot(buffer);
    return this.#program.buffers[buffer].dtype === "i32" ? this.#steps.as(slot, anyWhole) : slot;
  }

  #call(call: KernelCall): void {
    const { kernels } = this.#program;
    const slots = call.args.map((buffer, i) => this.#read(buffer, kernels[call.kernel].args[i].mode));
    this.#emit(this.#program, call, slots, (args) => (source) => this.#key(source, args));
    call.args.forEach((buffer, i) => {
      if (kernels[call.kernel].args[i].mode !== "read") this.#slots[buffer] = slots[i];
    });
  }

  /** Emits a call's kernel; the slots of what it writes replace those of its arguments. */
  #emit(program: Program, call: KernelCall, slots: (number | undefined)[], keyIn: KeyIn): void {
    const kernel = program.kernels[call.kernel];
    const lengths = call.args.map((buffer) => program.buffers[buffer].length);
    const operands = slots.slice(0, -1) as number[];
    const write = (slot: number): void => {
      slots[slots.length - 1] = slot;
    };
    switch (kernel.kind) {
      case "loop":
        emitLoop(this.#steps, kernel, slots, lengths, keyIn(call.args));
        break;
      case "contract":
        emitContraction(this.#steps, kernel, slots, lengths, this.#options, (args) =>
          keyIn(args.map((arg) => call.args[arg])),
        );
        break;
      case "grouped":
        write(emitGrouped(this.#steps, kernel, operands));
        break;
      case "scatter":
        write(emitScatter(this.#steps, kernel, operands));
        break;
      case "scan":
        write(emitScan(this.#steps, kernel, operands));
        break;
      case "sort":
        write(emitSort(this.#steps, kernel, operands[0]));
        break;
      case "selective": {
        const reads = kernel.args.filter(({ mode }) => mode === "read").length;
        const borders = kernel.gradient ? 0 : program.buffers[call.args[reads + 2]].length;
        emitSelective(this.#steps, kernel, slots.slice(0, reads) as number[], borders).forEach((slot, i) => {
          slots[reads + i] = slot;
        });
        break;
      }
      case "repeat":
        emitRepeat(this.#steps, kernel, slots, (body, step, own) => this.#emit(body, step, own, refuseKey));
        break;
      default:
        // A new kind of kernel must not be forgotten here.
        kernel satisfies never;
    }
  }

  /** The slot of an argument. Writers of a part see what is there already. */
  #read(buffer: number, mode: string): number | undefined {
    // Nobody writes what has no elements; whoever reads it gets none.
    if (this.#program.buffers[buffer].length === 0) this.#slots[buffer] ??= this.#slot(buffer);
    if (!this.#host.buffers.has(buffer) || mode === "write") return this.#slots[buffer];
    const slot = this.#slot(buffer);
    this.#uploads.push({ slot, buffer, after: this.#hostCalls.length });
    return slot;
  }

  #key(source: KeySource, args: readonly number[]): number {
    const { stage, words } = source;
    const known = this.#keys.findIndex(
      (key) => key.stage === stage && key.args === args && key.words.join() === words.join(),
    );
    return known >= 0 ? known : this.#keys.push({ ...source, args, after: this.#hostCalls.length }) - 1;
  }
}

const refuseKey: KeyIn = () => () => {
  throw new SluiceError(
    "gpu",
    "random numbers inside a scan's step are not supported; draw them before, as a sequence",
  );
};

function refuseDoubles({ buffers, kernels }: Program): void {
  const wide = (kernel: LoopKernel): boolean =>
    kernel.stages.some((stage) => stage.instrs.some((instr) => instr.dtype === "f64"));
  for (const kernel of kernels) if (kernel.kind === "repeat") refuseDoubles(kernel.body);
  if (
    buffers.some((buffer) => buffer.dtype === "f64") ||
    kernels.some((kernel) => kernel.kind === "loop" && wide(kernel))
  ) {
    throw new DTypeError("gpu", "there is no f64 on this backend; cast to f32, or use the wasm backend");
  }
}

/** Slots that the program made and nothing reads after a step. */
function deadAfter(
  steps: readonly Step[],
  inputs: readonly (number | undefined)[],
  outputs: readonly (number | undefined)[],
): number[][] {
  const last = new Map<number, number>();
  steps.forEach((step, at) => {
    for (const slot of [...step.inputs, step.output]) last.set(slot, at);
  });
  const kept = new Set([...inputs, ...outputs]);
  const dead: number[][] = steps.map(() => []);
  for (const [slot, at] of last) if (!kept.has(slot)) dead[at].push(slot);
  return dead;
}
