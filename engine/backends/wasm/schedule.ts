// How the calls of a program are shared among threads: which are split, and before which all threads must have met.

import type { Program } from "../../compile/ir.ts";
import { bytesOf } from "../../compile/plan.ts";

/** What the schedule needs to know of a kernel. */
export interface KernelCost {
  readonly units: number;
  /** Work of a whole call, in the time that eight multiply-adds of a product take (a third of a nanosecond). */
  readonly work: number;
}

export interface ScheduledCall {
  /** Every thread runs its range of units; otherwise the first thread runs them all. */
  readonly parallel: boolean;
  /** Threads wait for each other before the call. */
  readonly barrier: boolean;
}

/** Work below which a call takes about as long as two threads take to meet. */
export const worthSplitting = 2048;

/** The memory a call reads or writes: bytes of the arena, or a state buffer. */
interface Touch {
  readonly start: number;
  readonly end: number;
  readonly writes: boolean;
  readonly parallel: boolean;
}

/**
 * A barrier stands before a call that touches memory which other threads touched since the last one, unless both only
 * read. What one thread does in a row needs none; neither do calls with nothing in common, such as the updates of
 * different parameters.
 */
export function schedule(
  program: Program,
  kernels: readonly KernelCost[],
  splitFrom: number = worthSplitting,
): ScheduledCall[] {
  let since: Touch[] = [];
  return program.calls.map((call) => {
    const cost = kernels[call.kernel];
    const parallel = cost.units > 1 && cost.work >= splitFrom;
    const modes = program.kernels[call.kernel].args;
    const touches = call.args.map((buffer, i): Touch => {
      const [start, end] = range(program, buffer);
      return { start, end, writes: modes[i].mode !== "read", parallel };
    });
    const barrier = touches.some((touch) => since.some((before) => conflict(before, touch)));
    if (barrier) since = [];
    since.push(...touches);
    return { parallel, barrier };
  });
}

const conflict = (a: Touch, b: Touch): boolean =>
  (a.parallel || b.parallel) && (a.writes || b.writes) && a.start < b.end && b.start < a.end;

/** State buffers get ranges of their own beyond any arena. */
function range(program: Program, buffer: number): [number, number] {
  const bytes = bytesOf(program.buffers[buffer]);
  const start = program.arena.offsets[buffer] ?? 2 ** 33 * (buffer + 1);
  return [start, start + bytes];
}
