// Where a run looks back whether an index was out of range, so that it ends before state is overwritten, not after.

import type { Program } from "../../compile/ir.ts";
import { mayFail } from "../../compile/order.ts";

export interface Checks {
  /** Calls that write state, with kernels before them that may have met a wrong index since the last check. */
  readonly before: ReadonlySet<number>;
  /** Whether to look before results are copied over state. */
  readonly atEnd: boolean;
}

export function checksOf(program: Program): Checks {
  const before = new Set<number>();
  let pending = false;
  program.calls.forEach(({ kernel, args }, i) => {
    const { args: modes } = program.kernels[kernel];
    const writes = args.some((buffer, at) => program.buffers[buffer].role === "state" && modes[at].mode !== "read");
    if (pending && writes) {
      before.add(i);
      pending = false;
    }
    pending ||= mayFail(program.kernels[kernel]);
  });
  return { before, atEnd: pending && program.copies.length > 0 };
}
