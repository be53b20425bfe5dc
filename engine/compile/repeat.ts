// The body of a scan -> a program in a loop: states are updated in place, elements of sequences are read and written
// where they lie.

import { bytesPerElement } from "../dtype.ts";
import { bodyNodes } from "../graph/body.ts";
import type { Graph } from "../graph/graph.ts";
import type { Body } from "../graph/node.ts";
import { sizeOf } from "../shape.ts";
import type { Buffer, KernelArg, Program, RepeatKernel } from "./ir.ts";
import { planMemory } from "./plan.ts";

/** Arguments of the kernel: the scan's inputs, its results, and an arena for the body. */
export function repeatKernel(body: Body, compile: (graph: Graph) => Program, reuse: boolean): RepeatKernel {
  const { leaves, carries, sequences, results, length, reverse } = body;
  const compiled = compile({
    nodes: bodyNodes(body),
    inputs: leaves,
    persistent: leaves.map(() => true),
    outputs: results,
    alias: results.map((_, i) => (i < carries ? i : undefined)),
  });
  const buffers = [...compiled.buffers];
  const copies = [...compiled.copies];
  const bindings: RepeatKernel["bindings"][number][] = leaves.map((leaf, i) => ({
    buffer: compiled.inputs[i],
    // A state is worked on where its last value is wanted.
    arg: i < carries ? leaves.length + i : i,
    step: i >= carries && i < carries + sequences ? sizeOf(leaf.shape) : 0,
  }));
  for (let i = carries; i < results.length; i++) {
    let buffer = compiled.outputs[i];
    if (bindings.some((binding) => binding.buffer === buffer)) {
      // Two results that are one value: the second is a copy.
      copies.push([buffer, buffers.push(buffers[buffer]) - 1]);
      buffer = buffers.length - 1;
    }
    bindings.push({ buffer, arg: leaves.length + i, step: sizeOf(results[i].shape) });
  }
  // What is bound needs no place in the arena.
  for (const { buffer } of bindings) buffers[buffer] = { ...(buffers[buffer] as Buffer), role: "state" };
  const unplanned = { ...compiled, buffers, copies };
  const starts = leaves.slice(0, carries).map(({ shape, dtype }, i) => ({
    from: i,
    to: leaves.length + i,
    bytes: sizeOf(shape) * bytesPerElement(dtype),
  }));
  const argOf =
    (mode: KernelArg["mode"]) =>
    ({ dtype }: { readonly dtype: KernelArg["dtype"] }): KernelArg => ({ dtype, mode });
  return {
    kind: "repeat",
    body: { ...unplanned, arena: planMemory(unplanned, reuse) },
    length,
    reverse,
    bindings,
    starts,
    args: [...leaves.map(argOf("read")), ...results.map(argOf("write")), { dtype: "bool", mode: "write" }],
  };
}
