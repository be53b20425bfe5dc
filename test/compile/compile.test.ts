// The compiler against the oracle: whatever it fuses, moves or overlaps in memory, results are the same.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileGraph } from "../../engine/compile/index.ts";
import type { Program } from "../../engine/compile/ir.ts";
import { dataNode, type Node } from "../../engine/graph/node.ts";
import { Storage } from "../../engine/graph/storage.ts";
import { build } from "../../engine/primitives/index.ts";
import { cutGraph, inputStorages } from "../../engine/runtime/realize.ts";
import { sizeOf } from "../../engine/shape.ts";
import { recipes } from "../../testing/index.ts";
import { interpret } from "../support/interpret.ts";
import { nodesOf } from "../support/nodes.ts";
import { lifetimes, oracle } from "../support/oracle.ts";

function compiled(outputs: readonly Node[], fuse: boolean, plan = true): { program: Program; values: Float64Array[] } {
  const graph = cutGraph(outputs);
  const program = compileGraph(graph, { fuse, plan });
  const inputs = inputStorages(graph).map((storage) => storage.host as Float64Array);
  return { program, values: interpret(program, inputs) };
}

function expectClose(actual: readonly Float64Array[], expected: readonly Float64Array[]): void {
  expected.forEach((values, i) => {
    expect(actual[i].length).toBe(values.length);
    values.forEach((value, j) => {
      const bound = 1e-9 * Math.max(1, Math.abs(value));
      const same = Object.is(value, actual[i][j]) || Math.abs(value - actual[i][j]) <= bound;
      expect(same, `output ${i} element ${j}: ${actual[i][j]}, expected ${value}`).toBe(true);
    });
  });
}

describe("compileGraph", () => {
  test("fused programs compute what the graph says", () => {
    fc.assert(
      fc.property(recipes, (recipe) => {
        const outputs = nodesOf(recipe);
        expectClose(compiled(outputs, true).values, oracle(outputs));
      }),
      { numRuns: 1500 },
    );
  });

  test("products over one element are elementwise, down to NaN and the sign of zero", () => {
    const special = fc.constantFrom(0, -0, 1, -1.5, Number.NaN, Number.POSITIVE_INFINITY, 3e-300);
    const side = fc.integer({ min: 0, max: 4 });
    const shape = fc.tuple(side, side, side);
    fc.assert(
      fc.property(shape, fc.array(special, { minLength: 16 * 4, maxLength: 16 * 4 }), ([batch, m, n], values) => {
        const leaf = (from: number, ...sides: number[]): Node => {
          const data = Float64Array.from(values.slice(from, from + sizeOf(sides)));
          return dataNode(new Storage("f64", data.length, data), sides);
        };
        const outputs = [build.apply("contract", [leaf(0, batch, m, 1), leaf(32, batch, 1, n)], {})];
        const { program, values: results } = compiled(outputs, true);
        const expected = oracle(outputs);
        expect(results[0].every((value, i) => Object.is(value, expected[0][i]))).toBe(true);
        expect(program.kernels.every(({ kind }) => kind === "loop")).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test("unfused programs compute what the graph says", () => {
    fc.assert(
      fc.property(recipes, (recipe) => {
        const outputs = nodesOf(recipe);
        expectClose(compiled(outputs, false).values, oracle(outputs));
      }),
      { numRuns: 500 },
    );
  });

  test("buffers alive at the same time never overlap, unless one replaces the other in place", () => {
    fc.assert(
      fc.property(recipes, (recipe) => {
        const { program } = compiled(nodesOf(recipe), true);
        const alive = lifetimes(program);
        alive.forEach((a, i) => {
          alive.slice(i + 1).forEach((b) => {
            const apart = a.to < b.from || b.to < a.from || a.end <= b.start || b.end <= a.start;
            const handedOver = a.start === b.start && (a.to === b.from || b.to === a.from);
            expect(apart || handedOver, `buffers ${a.buffer} and ${b.buffer} overlap`).toBe(true);
          });
        });
      }),
      { numRuns: 500 },
    );
  });

  test("results that replace state are written in place only where nobody reads the old values any more", () => {
    fc.assert(
      fc.property(recipes, fc.integer({ min: 1, max: 4 }), (recipe, wanted) => {
        const outputs = nodesOf({ ...recipe, outputs: wanted });
        const graph = cutGraph(outputs);
        // Each result replaces the first leaf of its size that is still free.
        const free = graph.inputs.map((_, i) => i);
        const alias = outputs.map((output) => {
          const at = free.findIndex((i) => sizeOf(graph.inputs[i].shape) === sizeOf(output.shape));
          return at < 0 || output.dtype !== "f64" ? undefined : free.splice(at, 1)[0];
        });
        const program = compileGraph({ ...graph, persistent: graph.inputs.map(() => true), alias });
        const inputs = inputStorages(graph).map((storage) => storage.host as Float64Array);
        expectClose(interpret(program, inputs), oracle(outputs));
      }),
      { numRuns: 1500 },
    );
  });

  test("reductions of very many terms are made in parts, with the same result", () => {
    const big = fc.record({
      outer: fc.integer({ min: 1, max: 9 }),
      sides: fc.tuple(fc.integer({ min: 190, max: 300 }), fc.integer({ min: 190, max: 300 })),
      at: fc.integer({ min: 0, max: 2 }),
      op: fc.constantFrom("sum" as const, "max" as const, "min" as const),
    });
    fc.assert(
      fc.property(big, ({ outer, sides, at, op }) => {
        const shape = [...sides.slice(0, at), outer, ...sides.slice(at)];
        const values = Float64Array.from({ length: sizeOf(shape) }, (_, i) => ((i * 7919) % 101) - 50);
        const x = dataNode(new Storage("f64", values.length, values), shape);
        const y = build[op](
          x,
          shape.map((_, i) => i).filter((i) => i !== at),
        );
        const { program, values: got } = compiled([y], true);
        expectClose(got, oracle([y]));
        if (outer <= 8 && sides.some((side) => side % 4 === 0)) expect(program.calls.length).toBe(2);
      }),
      { numRuns: 12 },
    );
  });

  test("a softmax is one kernel and stores nothing but its result", () => {
    const x = dataNode(Storage.zeros("f32", 6 * 9), [6, 9]);
    const e = build.exp(build.sub(x, build.unreduce(build.max(x, [1]), x.shape, [1])));
    const y = build.div(e, build.unreduce(build.sum(e, [1]), x.shape, [1]));
    const { calls, buffers } = compileGraph(cutGraph([y]));
    expect(calls.length).toBe(1);
    expect(buffers.length).toBe(2);
  });
});
