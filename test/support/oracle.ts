// What a graph says, by the oracle; and when each buffer of a program is alive.

import { referenceBackend } from "../../engine/backends/reference/index.ts";
import type { Program } from "../../engine/compile/ir.ts";
import { bytesOf } from "../../engine/compile/plan.ts";
import type { Node } from "../../engine/graph/node.ts";
import { Storage } from "../../engine/graph/storage.ts";
import { cutGraph, inputStorages } from "../../engine/runtime/realize.ts";
import { sizeOf } from "../../engine/shape.ts";

/** The values of the outputs, evaluated node by node without a compiler. */
export function oracle(outputs: readonly Node[]): Float64Array[] {
  const graph = cutGraph(outputs);
  const storages = outputs.map((node) => new Storage(node.dtype, sizeOf(node.shape)));
  referenceBackend().prepare(graph).run(inputStorages(graph), storages);
  return storages.map((storage) => storage.host as Float64Array);
}

/** Whether values are what they should be but for rounding in f64. */
export const agree = (actual: readonly ArrayLike<number>[], expected: readonly Float64Array[]): boolean =>
  expected.every(
    (values, i) =>
      actual[i].length === values.length &&
      values.every((value, j) => {
        const bound = 1e-9 * Math.max(1, Math.abs(value));
        return Object.is(value, actual[i][j]) || Math.abs(value - actual[i][j]) <= bound;
      }),
  );

/** From which call to which a buffer is needed, and where it lies. */
export interface Lifetime {
  readonly buffer: number;
  readonly from: number;
  readonly to: number;
  readonly start: number;
  readonly end: number;
}

export function lifetimes(program: Program): Lifetime[] {
  return program.buffers.flatMap((spec, buffer): Lifetime[] => {
    const start = program.arena.offsets[buffer];
    const uses = program.calls.flatMap((call, at) => (call.args.includes(buffer) ? [at] : []));
    if (program.inputs.includes(buffer)) uses.unshift(-1);
    if (program.outputs.includes(buffer)) uses.push(program.calls.length);
    if (start === undefined || uses.length === 0 || spec.length === 0) return [];
    return [{ buffer, from: uses[0], to: uses[uses.length - 1], start, end: start + bytesOf(spec) }];
  });
}
