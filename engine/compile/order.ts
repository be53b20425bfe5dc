// The order of calls: what may meet a wrong index comes before the first update of state, so that a step that fails
// changes nothing. What is computed from updated state has to stay after it.

import type { Kernel, KernelCall } from "./ir.ts";

/** Whether a kernel reads positions that are data. */
export function mayFail(kernel: Kernel): boolean {
  switch (kernel.kind) {
    case "loop":
      return kernel.stages.some(({ instrs }) => instrs.some(({ op }) => op === "gather"));
    case "repeat":
      return kernel.body.kernels.some(mayFail);
    default:
      return kernel.kind === "scatter" || kernel.kind === "grouped";
  }
}

/**
 * Whether a kernel may write state in place: it meets no wrong index, or looks at all of them before it writes, as
 * scatters do.
 */
export const mayUpdate = (kernel: Kernel): boolean => kernel.kind === "scatter" || !mayFail(kernel);

/**
 * The same calls, with those that may fail, and what they need, before those that write one of `updates` in place; of
 * these, scatters come first.
 */
export function failuresFirst(
  calls: readonly KernelCall[],
  kernels: readonly Kernel[],
  updates: ReadonlySet<number>,
): KernelCall[] {
  const kernelOf = (at: number): Kernel => kernels[calls[at].kernel];
  const writes = ({ kernel, args }: KernelCall): number[] =>
    args.filter((_, i) => kernels[kernel].args[i].mode !== "read");
  const isUpdate = calls.map((call, at) => mayUpdate(kernelOf(at)) && writes(call).some((one) => updates.has(one)));
  const first = isUpdate.indexOf(true);
  if (first < 0 || !calls.some((_, at) => at > first && mayFail(kernelOf(at)))) return [...calls];
  const needs = dependencies(calls, writes);
  const late = new Set<number>();
  for (let at = first; at < calls.length; at++) {
    if (isUpdate[at] || needs[at].some((need) => late.has(need))) late.add(at);
  }
  const looking = new Set(
    [...late].filter((at) => isUpdate[at] && mayFail(kernelOf(at)) && !needs[at].some((need) => late.has(need))),
  );
  const early = new Set(Array.from({ length: first }, (_, at) => at));
  for (let at = calls.length - 1; at >= first; at--) {
    const wanted = early.has(at) || looking.has(at) || (!late.has(at) && mayFail(kernelOf(at)));
    if (!wanted) continue;
    if (!looking.has(at)) early.add(at);
    for (const need of needs[at]) early.add(need);
  }
  const group = (at: number): number => (early.has(at) ? 0 : looking.has(at) ? 1 : 2);
  return [0, 1, 2].flatMap((which) => calls.filter((_, at) => group(at) === which));
}

/** For each call the earlier ones it must stay after: those that write what it uses, or use what it writes. */
function dependencies(calls: readonly KernelCall[], writes: (call: KernelCall) => number[]): number[][] {
  const writers = new Map<number, number[]>();
  const users = new Map<number, number[]>();
  return calls.map((call, at) => {
    const written = writes(call);
    const needs = [
      ...call.args.flatMap((buffer) => writers.get(buffer) ?? []),
      ...written.flatMap((buffer) => users.get(buffer) ?? []),
    ];
    const note = (map: Map<number, number[]>, buffer: number): void => {
      const known = map.get(buffer);
      if (known === undefined) map.set(buffer, [at]);
      else known.push(at);
    };
    for (const buffer of written) note(writers, buffer);
    for (const buffer of call.args) note(users, buffer);
    return needs;
  });
}
