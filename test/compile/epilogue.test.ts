// Loops that follow a product become part of its kernel where nothing forbids it, and only there.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CompileOptions, compileGraph, explainProgram } from "../../engine/compile/index.ts";
import type { ContractKernel, Program } from "../../engine/compile/ir.ts";
import type { Graph } from "../../engine/graph/graph.ts";
import * as S from "../../engine/index.ts";
import { cutGraph, inputStorages } from "../../engine/runtime/realize.ts";
import { interpret } from "../support/interpret.ts";
import { agree, oracle } from "../support/oracle.ts";

const wave = (shape: readonly number[], salt: number): S.Tensor =>
  S.tensor(
    Float64Array.from({ length: S.sizeOf(shape) }, (_, i) => Math.sin(i * 1.7 + salt)),
    { shape },
  );

const graphOf = (...values: readonly S.Tensor[]): Graph => cutGraph(values.map(({ node }) => node));
const programOf = (...values: readonly S.Tensor[]): Program => compileGraph(graphOf(...values));

const kinds = ({ calls, kernels }: Program): string[] => calls.map(({ kernel }) => kernels[kernel].kind);
const products = ({ kernels }: Program): ContractKernel[] =>
  kernels.flatMap((kernel) => (kernel.kind === "contract" ? [kernel] : []));

/** What the interpreter makes of a graph. */
const valuesOf = (graph: Graph, options?: CompileOptions) =>
  interpret(
    compileGraph(graph, options),
    inputStorages(graph).map((storage) => storage.host as Float64Array),
  );

const none = { target: { columnSums: true, epilogue: () => false } };

const [x, w, b] = [wave([5, 7], 1), wave([7, 3], 2), wave([3], 3)];
const dense = () => S.add(S.matmul(x, w), b);

const binary = { matmul: S.matmul, add: S.add, mul: S.mul, scan: (p: S.Tensor) => S.cumsum(p, 0) };
const unary = { tanh: S.tanh, neg: S.neg, turn: S.transpose, row: (p: S.Tensor) => S.add(S.slice(p, [[1, 2]]), p) };

/** Square matrices, each made of earlier ones; the last ones are results, and replace the first leaves if told to. */
interface Net {
  readonly steps: readonly {
    readonly by: keyof typeof binary | keyof typeof unary;
    readonly of: readonly [number, number];
  }[];
  readonly results: number;
  readonly replaced: number;
}

const nets: fc.Arbitrary<Net> = fc.record({
  steps: fc.array(
    fc.record({
      by: fc.constantFrom("matmul", "matmul", "matmul", ...Object.keys({ ...binary, ...unary })) as fc.Arbitrary<
        Net["steps"][number]["by"]
      >,
      of: fc.tuple(fc.nat(4), fc.nat(4)),
    }),
    { minLength: 3, maxLength: 12 },
  ),
  results: fc.integer({ min: 1, max: 4 }),
  replaced: fc.integer({ min: 0, max: 3 }),
});

/** Operands are counted from the newest value. */
function graphOfNet({ steps, results, replaced }: Net): Graph {
  const leaves = [1, 2, 3].map((salt) => wave([3, 3], salt));
  const values = [...leaves];
  for (const { by, of } of steps) {
    const [p, q] = of.map((back) => values[Math.max(0, values.length - 1 - back)]);
    values.push(by in unary ? unary[by as keyof typeof unary](p) : binary[by as keyof typeof binary](p, q));
  }
  const graph = graphOf(...values.slice(-results));
  const alias = graph.outputs.map((_, i) => (i < Math.min(replaced, graph.inputs.length) ? i : undefined));
  return { ...graph, persistent: graph.inputs.map((_, i) => alias.includes(i)), alias };
}

describe("what follows a product", () => {
  test("is one kernel with it, and the product has no memory of its own", () => {
    const text = explainProgram(programOf(S.relu(dense())));
    expect(text).toContain("1 kernel calls of 1 kernels");
    expect(text).toContain("contract[5x7x3] 105 multiply-adds then loop[5|3] row(add");
    expect(text).toContain(`(${8 * (35 + 21 + 3 + 15)} B)`);
    const { buffers, arena } = programOf(S.relu(dense()));
    expect(buffers.filter(({ role }, i) => role === "temporary" && arena.offsets[i] !== undefined)).toEqual([]);
  });

  test("may be a residual that is one of the operands", () => {
    const square = wave([5, 5], 4);
    const program = programOf(S.add(S.matmul(square, square), square));
    expect(kinds(program)).toEqual(["contract"]);
    expect(program.calls[0].args.length).toBe(3);
  });

  test("leaves a product that others want where they find it", () => {
    const y = dense();
    const program = programOf(S.matmul(x, w), S.relu(y), S.cumsum(S.matmul(x, w), 0));
    expect(kinds(program)).toEqual(["contract", "scan"]);
    expect(products(program)[0].epilogue?.kept).toBe(true);
  });

  test("waits for another product", () => {
    const program = programOf(S.tanh(S.add(S.matmul(x, w), S.matmul(S.neg(x), w))));
    expect(kinds(program).filter((kind) => kind === "contract").length).toBe(2);
    expect(products(program).map(({ epilogue }) => epilogue?.loops.length)).toEqual([undefined, 1]);
  });

  test("is not all there yet for a second loop that reads it elsewhere", () => {
    const [p, q] = [S.matmul(wave([4, 4], 1), wave([4, 4], 2)), S.matmul(wave([4, 4], 3), wave([4, 4], 4))];
    const first = S.tanh(S.add(p, q));
    const graph = graphOf(first, S.add(p, S.transpose(first)));
    expect(products(compileGraph(graph)).map(({ epilogue }) => epilogue?.loops.length)).toEqual([undefined, 1]);
    expect(valuesOf(graph)).toEqual(valuesOf(graph, none));
  });

  test.each<readonly [string, () => S.Tensor]>([
    ["reads it out of order", () => S.add(S.matmul(x, S.transpose(x)), S.transpose(S.matmul(x, S.transpose(x))))],
    ["reads a part of it", () => S.relu(S.slice(S.matmul(x, w), [[0, 2]]))],
    ["sums it", () => S.sum(S.matmul(x, w), 1)],
  ])("is a kernel of its own where it %s", (_, value) => {
    expect(kinds(programOf(value()))).toEqual(["contract", "loop"]);
  });

  test("does not overwrite what the product still reads", () => {
    const state = wave([5, 5], 6);
    const graph = graphOf(S.add(state, S.matmul(state, state)));
    const program = compileGraph({ ...graph, persistent: [true], alias: [0] });
    const at = program.calls.findIndex(({ kernel }) => program.kernels[kernel].kind === "contract");
    const writes = program.calls[at].args.filter(
      (__, i) => program.kernels[program.calls[at].kernel].args[i].mode !== "read",
    );
    expect(writes).not.toContain(program.inputs[0]);
    const expected = oracle(graph.outputs);
    const values = inputStorages(graph).map((storage) => storage.host as Float64Array);
    expect(agree(interpret(program, values), expected)).toBe(true);
  });

  test("gives the same bits with it and after it, state replaced or not, in any net of products", () => {
    let met = 0;
    fc.assert(
      fc.property(nets, (net) => {
        const graph = graphOfNet(net);
        met += products(compileGraph(graph)).filter(({ epilogue }) => epilogue !== undefined).length;
        const expected = valuesOf(graph, none);
        expect(valuesOf(graph)).toEqual(expected);
        expect(valuesOf(graph, { plan: false })).toEqual(expected);
      }),
      { numRuns: 600 },
    );
    expect(met).toBeGreaterThan(150);
  });
});
