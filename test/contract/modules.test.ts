// Every module of nn and moe: gradients to second order in f64, f32 within the bound that follows from its graph,
// evaluation that repeats itself, training that differs where it says so, state that goes round, compiled as it is.

import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { compile, type DType, manualSeed, setBackend, sizeOf, type Tensor } from "../../engine/index.ts";
import * as moe from "../../moe/index.ts";
import * as nn from "../../nn/index.ts";
import { dtypeOf, roundingBounds, tensorOf, valuesOf } from "../../testing/index.ts";
import { checkModule } from "../nn/tools.ts";
import { excused, modules, type Variant } from "./modules.ts";

beforeAll(() => setBackend("wasm"));

const isModule = (value: unknown): boolean => typeof value === "function" && value.prototype instanceof nn.Module;
const exported = [...Object.entries(nn), ...Object.entries(moe)].flatMap(([name, value]) =>
  isModule(value) ? [name] : [],
);

it("every module has an entry or an excuse, and every entry a module", () => {
  expect(exported.filter((name) => !Object.hasOwn(modules, name) && !Object.hasOwn(excused, name))).toEqual([]);
  expect([...Object.keys(modules), ...Object.keys(excused)].filter((name) => !exported.includes(name))).toEqual([]);
});

const drawn = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(1000));
const bits = (list: readonly Tensor[]): number[][] => list.map((x) => Array.from(x.dataSync()));
const inputsOf = ({ inputs }: Variant, b: number, seed: number, float: DType): Tensor[] =>
  inputs(b).map(([shape, domain], i) =>
    tensorOf(valuesOf(domain, sizeOf(shape), seed, i), shape, dtypeOf(domain, float)),
  );
const buffersOf = (module: nn.AnyModule): number[][] => bits(module.namedBuffers().map(([, buffer]) => buffer));

function close(actual: readonly Tensor[], bounds: ReturnType<typeof roundingBounds>): void {
  actual.forEach((x, i) => {
    const { values, bounds: allowed } = bounds[i];
    x.dataSync().forEach((value, at) => {
      const near = Math.abs(value - values[at]) <= allowed[at] || allowed[at] === Number.POSITIVE_INFINITY;
      if (!near) expect.fail(`${value} instead of ${values[at]} +- ${allowed[at]} at ${at} of part ${i}`);
    });
  });
}

const all = Object.entries(modules).flatMap(([name, variants]) =>
  variants.map((variant): [string, Variant] => [variant.name === "" ? name : `${name}, ${variant.name}`, variant]),
);

describe.each(all)("%s", (_, variant) => {
  const { make, mode, run } = variant;

  it("gradients", () => {
    fc.assert(
      fc.property(drawn, ([b, seed]) => {
        const module = make().to("f64").initialize(seed);
        if (mode === "random") module.eval();
        const inputs = inputsOf(variant, b, seed, "f64");
        if (module.namedParameters().length === 0 && inputs.every(({ dtype }) => dtype !== "f64")) return;
        checkModule(module, inputs, (...xs) => run(module, ...xs));
      }),
      { numRuns: 1 },
    );
  });

  it("f32 is as near f64 as rounding allows, compiled or not; f64 stays f64", () => {
    fc.assert(
      fc.property(drawn, ([b, seed]) => {
        const module = make().initialize(seed).eval();
        const inputs = inputsOf(variant, b, seed, "f32");
        const bounds = roundingBounds(run(module, ...inputs));
        close(run(module, ...inputs), bounds);
        close(compile((...xs: Tensor[]) => [...run(module, ...xs)])(...inputs), bounds);
        // A hash gate has no floats: its weights are 0 and 1 in f32.
        if (module.namedParameters().length === 0 && inputs.every(({ dtype }) => dtype !== "f32")) return;
        const wide = make().to("f64").eval();
        expect(new Set(run(wide, ...inputsOf(variant, b, seed, "f64")).map(({ dtype }) => dtype))).toEqual(
          new Set(["f64"]),
        );
      }),
      { numRuns: 2 },
    );
  });

  it("evaluation repeats itself and changes nothing; training does what it says", () => {
    const module = make().initialize(1);
    const inputs = inputsOf(variant, 3, 1, "f32");
    manualSeed(1);
    const forward = (): number[][] => bits(run(module, ...inputs));
    module.eval();
    const [before, once, twice] = [buffersOf(module), forward(), forward()];
    expect(twice).toEqual(once);
    expect(buffersOf(module)).toEqual(before);
    module.train();
    const trained = forward();
    if (mode === "same") expect(trained).toEqual(once);
    else expect(trained).not.toEqual(once);
    if (mode === "statistics") expect(buffersOf(module)).not.toEqual(before);
    if (mode === "random") expect(forward()).not.toEqual(trained);
  });

  it("state goes round", async () => {
    const [from, to] = [make().initialize(1).eval(), make().initialize(2).eval()];
    const inputs = inputsOf(variant, 2, 1, "f32");
    const expected = bits(run(from, ...inputs));
    await to.loadStateDict(await from.stateDict());
    expect(bits(run(to, ...inputs))).toEqual(expected);
  });
});
