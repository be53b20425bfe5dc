// The judge judged: errors planted in compiled programs, in their schedule and in the key of the program cache. The
// generator of programs finds every one within the number of cases of a usual run.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { schedule } from "../../engine/backends/wasm/schedule.ts";
import { compileGraph } from "../../engine/compile/index.ts";
import type { Program } from "../../engine/compile/ir.ts";
import type { Graph } from "../../engine/graph/graph.ts";
import type { Node } from "../../engine/graph/node.ts";
import { cutGraph, inputStorages, structureKey } from "../../engine/runtime/realize.ts";
import { sizeOf } from "../../engine/shape.ts";
import { type Recipe, recipes } from "../../testing/index.ts";
import { interpret } from "../support/interpret.ts";
import { nodesOf } from "../support/nodes.ts";
import { agree, oracle } from "../support/oracle.ts";
import { plants } from "./plants.ts";

/** As many as a usual run makes of programs. */
const usual = 1500;
const picks = fc.nat(1000);

const valuesOf = (graph: Graph): Float64Array[] => inputStorages(graph).map((storage) => storage.host as Float64Array);

/** Whether a program computes what the graph says. One that reads outside its buffers does not. */
function right(program: Program, inputs: readonly Float64Array[], outputs: readonly Node[]): boolean {
  const expected = oracle(outputs);
  try {
    return agree(interpret(program, inputs), expected);
  } catch {
    return false;
  }
}

/** The number of the case that shows that a property does not hold, or undefined. */
function caughtBy<Ts>(arbitrary: fc.Arbitrary<Ts>, holds: (drawn: Ts) => boolean): number | undefined {
  const { failed, numRuns } = fc.check(fc.property(arbitrary, holds), { numRuns: usual, endOnFailure: true });
  return failed ? numRuns : undefined;
}

describe("in programs", () => {
  it.each(Object.entries(plants))("%s", (_, plant) => {
    const caught = caughtBy(fc.tuple(recipes, picks), ([recipe, pick]) => {
      const outputs = nodesOf(recipe);
      const graph = cutGraph(outputs);
      const program = plant(compileGraph(graph), pick);
      return program === undefined || right(program, valuesOf(graph), outputs);
    });
    expect(caught).toBeLessThanOrEqual(usual);
  });

  it("state overwritten before everything has read it", () => {
    const caught = caughtBy(recipes, (recipe) => {
      const outputs = nodesOf({ ...recipe, outputs: 3 });
      const graph = cutGraph(outputs);
      const free = graph.inputs.map((_, i) => i);
      const alias = outputs.map((output) => {
        const at = free.findIndex((i) => sizeOf(graph.inputs[i].shape) === sizeOf(output.shape));
        return at < 0 || output.dtype !== "f64" ? undefined : free.splice(at, 1)[0];
      });
      const program = compileGraph({ ...graph, persistent: graph.inputs.map(() => true), alias });
      // What is copied at the end is written to the state at once.
      const target = new Map(program.copies);
      const calls = program.calls.map(({ kernel, args }) => ({ kernel, args: args.map((b) => target.get(b) ?? b) }));
      return right({ ...program, calls, copies: [] }, valuesOf(graph), outputs);
    });
    expect(caught).toBeLessThanOrEqual(usual);
  });
});

/**
 * An order of the calls that a schedule allows: between two barriers calls of the first thread stay in order, and those
 * that are shared are done by other threads as late, or as early, as can be, the last one first.
 */
function worst(program: Program, calls: readonly { barrier: boolean; parallel: boolean }[], late: boolean): Program {
  const order: number[] = [];
  let segment: number[] = [];
  const close = (): void => {
    const shared = segment.filter((i) => calls[i].parallel).reverse();
    const serial = segment.filter((i) => !calls[i].parallel);
    order.push(...(late ? [...serial, ...shared] : [...shared, ...serial]));
    segment = [];
  };
  calls.forEach(({ barrier }, i) => {
    if (barrier) close();
    segment.push(i);
  });
  close();
  return { ...program, calls: order.map((i) => program.calls[i]) };
}

describe("in the schedule", () => {
  const drawn = fc.tuple(recipes, picks, fc.boolean());
  const scheduled = (recipe: Recipe) => {
    const outputs = nodesOf(recipe);
    const graph = cutGraph(outputs);
    const program = compileGraph(graph);
    const costs = program.kernels.map((_, i) => ({ units: i % 3 === 2 ? 1 : 2, work: 1e9 }));
    return { outputs, inputs: valuesOf(graph), program, calls: schedule(program, costs) };
  };

  it("barriers keep results whatever threads do between them", () => {
    fc.assert(
      fc.property(drawn, ([recipe, , late]) => {
        const { outputs, inputs, program, calls } = scheduled(recipe);
        expect(right(worst(program, calls, late), inputs, outputs)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("a missing barrier", () => {
    const caught = caughtBy(drawn, ([recipe, pick, late]) => {
      const { outputs, inputs, program, calls } = scheduled(recipe);
      const barriers = calls.flatMap(({ barrier }, i) => (barrier ? [i] : []));
      if (barriers.length === 0) return true;
      const at = barriers[pick % barriers.length];
      const fewer = calls.with(at, { ...calls[at], barrier: false });
      return right(worst(program, fewer, late), inputs, outputs);
    });
    expect(caught).toBeLessThanOrEqual(usual);
  });
});

describe("in the key of the program cache", () => {
  /** A recipe, and one that differs from it in one choice. */
  const pairs = fc.tuple(recipes, picks, picks).map(([recipe, pick, change]): [Recipe, Recipe] => {
    const at = pick % recipe.steps.length;
    const [op, of, a, b] = recipe.steps[at];
    const other = [op, of, a, b] as [number, number, number, number];
    other[1 + (change % 3)] += 1 + (change % 2);
    const leaves = change % 4 === 3 ? recipe.leaves.with(0, recipe.leaves[0].toReversed()) : recipe.leaves;
    return [recipe, { ...recipe, leaves, steps: recipe.steps.with(at, other) }];
  });

  /** Whether both graphs are right when they are run through one cache. */
  const cached = (pair: readonly [Recipe, Recipe], keyOf: (key: string) => string): boolean => {
    const programs = new Map<string, Program>();
    return pair.every((recipe) => {
      const outputs = nodesOf(recipe);
      const graph = cutGraph(outputs);
      const key = keyOf(structureKey(graph));
      const program = programs.get(key) ?? compileGraph(graph);
      programs.set(key, program);
      return right(program, valuesOf(graph), outputs);
    });
  };

  it("the key tells graphs apart that are not the same", () => {
    fc.assert(
      fc.property(pairs, (pair) => {
        expect(cached(pair, (key) => key)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it.each<[string, (key: string) => string]>([
    ["stale key: without attributes", (key) => key.replace(/:[^();>]*(?=\()/g, "")],
    ["stale key: without shapes of leaves", (key) => key.replace(/(f32|f64|i32|bool)\[[\d,]*\]/g, "leaf")],
    ["stale key: without connections", (key) => key.replace(/\([\d,]*\)/g, "()")],
    ["stale key: without outputs", (key) => key.replace(/>[\d,]*\|/g, ">|")],
    ["stale key: without the operations", (key) => key.replace(/[a-zA-Z]+(?=[:(])/g, "op")],
  ])("%s", (_, keyOf) => {
    expect(caughtBy(pairs, (pair) => cached(pair, keyOf))).toBeLessThanOrEqual(usual);
  });
});
