// Programs of the compiler's generator (sharing, reductions, movement, products, concatenations, gathers, scatters,
// scans, sorts), in f32, against the kernel IR interpreted in f64. Values are small whole numbers: structure is tested.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gpuBackend } from "../../../engine/backends/gpu/index.ts";
import { compileGraph } from "../../../engine/compile/index.ts";
import type { Program } from "../../../engine/compile/ir.ts";
import { Storage } from "../../../engine/graph/storage.ts";
import { cutGraph } from "../../../engine/runtime/realize.ts";
import { type Recipe, recipes } from "../../../testing/index.ts";
import { interpret } from "../../support/interpret.ts";
import { nodesOf } from "../../support/nodes.ts";
import { modes } from "./modes.ts";

/** Of the largest value of a result: what tanh, exp and roots of the generator can differ by in f32. */
const tolerance = 1e-3;

/** The same program in f32. */
const narrow = (program: Program): Program =>
  JSON.parse(JSON.stringify(program, infinities).replaceAll('"f64"', '"f32"'), (_, value: unknown) =>
    typeof value === "string" && value.startsWith("#") ? Number(value.slice(1)) : value,
  ) as Program;

const infinities = (_: string, value: unknown): unknown =>
  typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))
    ? `#${Object.is(value, -0) ? "-0" : value}`
    : value;

/** Recipes that once failed. */
const found: readonly Recipe[] = [
  // Padding of a running sum without elements: a kernel reads what nothing has written.
  {
    leaves: [[], [2], [0, 2]],
    steps: [
      [711, 957, 436, 684],
      [372, 836, 373, 727],
      [134, 184, 216, 681],
      [191, 11, 654, 69],
      [958, 736, 809, 708],
      [440, 654, 587, 507],
      [782, 409, 91, 412],
      [591, 924, 290, 303],
    ],
    outputs: 2,
  },
];

describe.each(modes)("mode %s", (mode) => {
  it("runs the compiler's programs", { timeout: 120_000 }, async () => {
    const backend = await gpuBackend(mode);
    const drawn = fc.sample(recipes, { numRuns: mode === "webgpu" ? 30 : 120 });
    for (const [number, recipe] of [...found, ...drawn].entries()) {
      const graph = cutGraph([...new Set(nodesOf(recipe))].filter((node) => node.storage === undefined));
      const program = compileGraph(graph);
      const values = graph.inputs.map((node) => (node.storage as Storage).host as Float64Array);
      const expected = interpret(program, values);
      const small = narrow(program);
      const inputs = values.map((list) => new Storage("f32", list.length, Float32Array.from(list)));
      const outputs = small.outputs.map((b, i) => new Storage(small.buffers[b].dtype, expected[i].length));
      await backend.instantiate(small).run(inputs, outputs);
      for (const [i, output] of outputs.entries()) {
        const actual = (await output.device?.read()) ?? [];
        const scale = Math.max(1, ...expected[i].map(Math.abs).filter(Number.isFinite));
        expect(actual.length, `program ${number}`).toBe(expected[i].length);
        expected[i].forEach((value, at) => {
          if (Object.is(value, actual[at]) || value === actual[at]) return;
          expect(Math.abs(actual[at] - value) / scale, `program ${number}, result ${i}, at ${at}`).toBeLessThan(
            tolerance,
          );
        });
      }
    }
    await backend.leave?.();
  });
});
