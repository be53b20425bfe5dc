// A program in a loop, written out: the steps of all its rounds. Rounds share their kernels, since only positions that
// are arguments differ.

import type { KernelCall, Program, RepeatKernel } from "../../compile/ir.ts";
import type { Steps } from "./steps.ts";

/** Emits one call of the body; the slots of what it writes replace those of its arguments. */
export type EmitCall = (body: Program, call: KernelCall, slots: (number | undefined)[]) => void;

/** Emits all rounds. `slots` are those of the kernel's arguments; what it writes replaces them. */
export function emitRepeat(steps: Steps, kernel: RepeatKernel, slots: (number | undefined)[], emit: EmitCall): void {
  const { body, bindings, length, reverse, starts } = kernel;
  for (const { from, to } of starts) slots[to] = slots[from];
  /** Elements that rounds leave in a sequence, by argument and place. */
  const sequences = new Map<number, number[]>();
  for (let round = 0; round < length; round++) {
    const at = reverse ? length - 1 - round : round;
    const own: (number | undefined)[] = body.buffers.map(() => undefined);
    const bound = new Map(bindings.map((binding) => [binding.buffer, binding]));
    const read = (buffer: number): number | undefined => {
      const binding = bound.get(buffer);
      if (own[buffer] !== undefined || binding === undefined) return own[buffer];
      const slot = slots[binding.arg];
      own[buffer] = slot === undefined ? slot : steps.part(slot, at * binding.step, body.buffers[buffer].length);
      return own[buffer];
    };
    const written = new Set<number>();
    for (const call of body.calls) {
      const modes = body.kernels[call.kernel].args;
      const callSlots = call.args.map((buffer, i) => (modes[i].mode === "write" ? own[buffer] : read(buffer)));
      emit(body, call, callSlots);
      call.args.forEach((buffer, i) => {
        if (modes[i].mode === "read") return;
        own[buffer] = callSlots[i];
        written.add(buffer);
      });
    }
    const copied = body.copies.map(([from]) => read(from));
    body.copies.forEach(([, to], i) => {
      own[to] = copied[i];
      written.add(to);
    });
    for (const buffer of written) {
      const binding = bound.get(buffer);
      const slot = own[buffer];
      if (binding === undefined || slot === undefined) continue;
      if (binding.step === 0) slots[binding.arg] = slot;
      else sequences.set(binding.arg, [...(sequences.get(binding.arg) ?? []), slot]);
    }
  }
  for (const [arg, elements] of sequences) slots[arg] = steps.join(reverse ? elements.toReversed() : elements);
}
