// The assembler's encodings: constants of any size, control flow, locals declared late, imports, lanes.

import fc from "fast-check";
import { expect, it } from "vitest";
import { type FunctionBuilder, ModuleBuilder, type ValType } from "../../../engine/backends/wasm/assembler/asm.ts";

type Fn = (...args: unknown[]) => unknown;

function compile(params: readonly ValType[], results: readonly ValType[], body: (f: FunctionBuilder) => void): Fn {
  const module = new ModuleBuilder();
  module.func("run", params, results, body, { export: true });
  return new WebAssembly.Instance(new WebAssembly.Module(module.toBytes())).exports.run as Fn;
}

it("constants of every type come back as they went in", () => {
  const check = <T>(type: ValType, arbitrary: fc.Arbitrary<T>, push: (f: FunctionBuilder, value: T) => unknown) =>
    fc.assert(
      fc.property(arbitrary, (value) => {
        const run = compile([], [type], (f) => {
          push(f, value);
        });
        expect(run()).toEqual(value);
      }),
    );
  const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  check("i32", fc.oneof(fc.integer(), fc.constantFrom(63, 64, -64, -65, 8191, 8192)), (f, value) => f.i32(value));
  check("i64", i64, (f, value) => f.i64(value));
  check("f32", fc.float(), (f, value) => f.f32(value));
  check("f64", fc.double(), (f, value) => f.f64(value));
});

it("branches, loops and locals declared late", () => {
  const run = compile(["i32"], ["i32"], (f) => {
    const sum = f.local("i32");
    for (let i = 0; i < 200; i++) f.local(i % 2 ? "f64" : "v128");
    const last = f.local("i32");
    f.block(() =>
      f.loop(() => {
        f.get(0).op("i32.eqz").brIf(1);
        f.get(0).i32(1).op("i32.and");
        f.if(
          () => f.get(sum).get(0).op("i32.add").set(sum),
          () => f.get(last).i32(1).op("i32.add").set(last),
        );
        f.get(0).i32(1).op("i32.sub").set(0).br(0);
      }),
    );
    f.get(sum).i32(1000).op("i32.mul").get(last).op("i32.add");
    f.before(() => f.i32(7).set(last));
  });
  expect(run(10)).toBe(25 * 1000 + 5 + 7);
});

it("calls between functions, several results, globals and lanes", () => {
  const module = new ModuleBuilder();
  const twice = module.func("twice", ["f64"], ["f64", "i32"], (f) => f.get(0).f64(2).op("f64.mul").i32(3));
  const counter = module.global(-5);
  const inner = module.func("inner", ["f32"], ["f32"], (f) => {
    f.globalGet(counter).i32(1).op("i32.add").globalSet(counter);
    const lanes = f.local("v128");
    f.get(0).op("f32x4.splat").f32(8).lane("f32x4.replace_lane", 2).set(lanes);
    f.get(lanes).get(lanes).shuffle([8, 9, 10, 11, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    f.lane("f32x4.extract_lane", 0).get(0).op("f32.add");
  });
  module.func("run", ["f32"], ["f64"], (f) => f.get(0).call(inner).op("f64.promote_f32").call(twice).op("drop"), {
    export: true,
  });
  module.func("count", [], ["i32"], (f) => f.globalGet(counter), { export: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()));
  expect((exports.run as Fn)(1.5)).toBe(19);
  expect((exports.count as Fn)()).toBe(-4);
});
