// Reading and running models: files of ONNX's own library, functions and graphs in graphs, and errors that say what.

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import {
  ArgumentError,
  DataError,
  DTypeError,
  ShapeError,
  SluiceError,
  setBackend,
  tensor,
} from "../../../engine/index.ts";
import { decodeOnnxTensor, loadOnnx, OnnxNodeError, UnsupportedOnnxError } from "../../../engine/io/onnx/index.ts";
import { given, graph, model, node, runOne, tensorBytes, whole } from "./build.ts";

beforeAll(() => setBackend("wasm"));

/**
 * y = sum over columns of 0.5 x W^T with W float16 [[1, 2], [3, 4], [5, 6]], a cast, a Gemm and a ReduceSum, as ONNX's
 * own Python library (1.23) writes it.
 */
const golden = Uint8Array.from(
  Buffer.from(
    "CAoSBG9ubng61wEKGAoBdxICd2YiBENhc3QqCQoCdG8YAaABAgo5CgF4CgJ3ZhIBZxoHcHJvZHVjdCIER2VtbSoPCgVhbHBoYRUAAAA/oAEBKg0K" +
      "BnRyYW5zQhgBoAECCigKAWcKBGF4ZXMSAXkiCVJlZHVjZVN1bSoPCghrZWVwZGltcxgAoAECEgZnb2xkZW4qFwgDCAIQCkIBd0oMADwAQABCAEQA" +
      "RQBGKg0IARAHOgEBQgRheGVzWhQKAXgSDwoNCAESCQoDEgFuCgIIAmIQCgF5EgsKCQgBEgUKAxIBbkIECgAQFQ==",
    "base64",
  ),
);

test("a file of ONNX's own library: what it says of itself, and what it computes", async () => {
  const loaded = await loadOnnx(golden);
  expect(loaded.inputs).toEqual([{ name: "x", type: "float", shape: ["n", 2] }]);
  expect(loaded.outputs).toEqual([{ name: "y", type: "float", shape: ["n"] }]);
  expect([loaded.opset, loaded.operators]).toEqual([21, ["Cast", "Gemm", "ReduceSum"]]);
  const { y } = await loaded.run({
    x: tensor([
      [1, 0],
      [0, 1],
      [1, -1],
    ]),
  });
  expect(y.toArray()).toEqual([4.5, 6, -1.5]);
});

test("inputs are checked: names, shapes, dtypes", async () => {
  const loaded = await loadOnnx(golden);
  const x = tensor([[1, 2]]);
  await expect(loaded.run({})).rejects.toThrow(ArgumentError);
  await expect(loaded.run({ x, z: x })).rejects.toThrow(/no input "z"; it has x/);
  await expect(loaded.run({ x: tensor([1, 2]) })).rejects.toThrow(ShapeError);
  await expect(loaded.run({ x: tensor([[1, 2]], { dtype: "i32" }) })).rejects.toThrow(DTypeError);
});

test("any part of a file gives a model or a typed error, never another", async () => {
  const check = async (bytes: Uint8Array): Promise<void> => {
    try {
      const loaded = await loadOnnx(bytes);
      await loaded.run({ x: tensor([[1, 0]]) });
    } catch (error) {
      expect(error).toBeInstanceOf(SluiceError);
      expect((error as Error).message.length).toBeGreaterThan(20);
    }
  };
  for (let length = 0; length < golden.length; length++) await check(golden.subarray(0, length));
  await fc.assert(
    fc.asyncProperty(fc.nat(golden.length - 1), fc.nat(255), async (at, byte) => {
      await check(golden.with(at, byte));
    }),
    { numRuns: 150 },
  );
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), check), { numRuns: 50 });
});

test("bytes that are no model, and tensors whose data do not fill them, are data errors", async () => {
  await expect(loadOnnx(new Uint8Array(0))).rejects.toThrow(/the model has no graph/);
  await expect(loadOnnx(golden.subarray(0, 100))).rejects.toThrow(DataError);
  await expect(decodeOnnxTensor(tensorBytes(given([3], [1, 2])))).rejects.toThrow(
    /shape \[3\] needs 3 elements, the file holds 2/,
  );
});

test("what is not supported is named: operator and version, attribute, input, element type", async () => {
  const x = given([2], [1, 2]);
  const refusal = async (run: Promise<unknown>): Promise<string> => {
    const error = await run.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(UnsupportedOnnxError);
    return (error as Error).message;
  };
  expect(await refusal(runOne("Frobnicate", [x], { opset: 23 }))).toBe(
    "Frobnicate (opset 23): this operator is not supported",
  );
  expect(await refusal(runOne("Relu", [x], { domain: "com.example" }))).toContain("of domain com.example");
  expect(await refusal(runOne("Relu", [x], { attributes: { slope: 2 } }))).toBe(
    "Relu (opset 23): attribute slope is not supported",
  );
  expect(await refusal(runOne("Relu", [x, x]))).toBe("Relu (opset 23): input 1 is not supported");
  expect(await refusal(runOne("Gelu", [x], { attributes: { approximate: "cubic" } }))).toContain(
    'approximate = "cubic"',
  );
  expect(await refusal(runOne("Cast", [x], { attributes: { to: 8 } }))).toContain("to = string");
});

test("an error of the engine is passed on with the node, its inputs and the cause", async () => {
  const error = await runOne("MatMul", [given([2, 3], [1, 2, 3, 4, 5, 6]), given([2], [1, 2])]).catch(
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(OnnxNodeError);
  expect((error as Error).message).toMatch(
    /MatMul \(opset 23\): node "the MatMul" with inputs float \[2, 3\], float \[2\]/,
  );
  expect((error as Error).cause).toBeInstanceOf(ShapeError);
});

test("functions of a model run with the attributes of the node that calls them", async () => {
  const twice = {
    name: "Twice",
    domain: "local",
    input: ["a"],
    output: ["b"],
    node: [node("Add", ["a", "a"], ["c"]), node("LeakyRelu", ["c"], ["b"], { alpha: { reference: "slope" } })],
    opsetImport: [{ domain: "", version: 21 }],
  };
  const bytes = model(
    {
      nodes: [node("Twice", ["x"], ["y"], { slope: 0.25 }, "local"), node("Twice", ["x"], ["z"], {}, "local")],
      inputs: [{ name: "x" }],
      outputs: [{ name: "y" }, { name: "z" }],
    },
    { domains: { local: 1 }, functions: [twice] },
  );
  const { y, z } = await (await loadOnnx(bytes)).run({ x: tensor([3, -4]) });
  expect(y.toArray()).toEqual([6, -2]);
  // The attribute left out, that of the operator inside is left out too.
  expect(z.toArray()).toEqual([6, Math.fround(Math.fround(-8) * Math.fround(0.01))]);
});

const run = async (parts: Parameters<typeof model>[0], inputs: Record<string, ReturnType<typeof tensor>>) => {
  const outputs = await (await loadOnnx(model(parts))).run(inputs);
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, value.toArray()]));
};

test("If runs one branch, which sees the names around it", () =>
  fc.assert(
    fc.asyncProperty(fc.boolean(), fc.integer({ min: -9, max: 9 }), async (chosen, value) => {
      const branch = (op: string) => ({
        graph: graph({ nodes: [node(op, ["x", "k"], [op])], outputs: [{ name: op }] }),
      });
      const found = await run(
        {
          nodes: [node("If", ["c"], ["y"], { then_branch: branch("Add"), else_branch: branch("Mul") })],
          inputs: [{ name: "c", type: "bool" }, { name: "x" }],
          outputs: [{ name: "y" }],
          constants: { k: given([], [3]) },
        },
        { c: tensor(chosen, { dtype: "bool" }), x: tensor(value) },
      );
      expect(found.y).toBeCloseTo(chosen ? value + 3 : value * 3);
    }),
    { numRuns: 10 },
  ));

test("Loop goes on until its count or its condition ends it, and stacks what each step gives", () =>
  fc.assert(
    fc.asyncProperty(fc.nat(6), fc.integer({ min: 1, max: 50 }), async (count, limit) => {
      const body = graph({
        nodes: [
          node("Add", ["s", "s"], ["next"]),
          node("Less", ["next", "limit"], ["on"]),
          node("Identity", ["next"], ["row"]),
        ],
        inputs: [{ name: "i", type: "int64", shape: [] }, { name: "c", type: "bool", shape: [] }, { name: "s" }],
        outputs: [{ name: "on", type: "bool" }, { name: "next" }, { name: "row", shape: [1] }],
      });
      const found = await run(
        {
          nodes: [node("Loop", ["m", "", "x"], ["last", "rows"], { body: { graph: body } })],
          inputs: [{ name: "x" }],
          outputs: [{ name: "last" }, { name: "rows" }],
          constants: { m: { ...whole(count), shape: [] }, limit: given([], [limit]) },
        },
        { x: tensor([1]) },
      );
      const rows: number[] = [];
      for (let s = 2; rows.length < count; s *= 2) {
        rows.push(s);
        if (s >= limit) break;
      }
      expect(found).toEqual({ last: [rows.at(-1) ?? 1], rows: rows.map((value) => [value]) });
    }),
    { numRuns: 15 },
  ));

test("Scan carries a state, takes sequences along any axis and in either direction", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      fc.boolean(),
      async (list, backward, turned) => {
        const body = graph({
          nodes: [node("Add", ["s", "e"], ["next"]), node("Identity", ["next"], ["row"])],
          inputs: [{ name: "s" }, { name: "e" }],
          outputs: [{ name: "next" }, { name: "row" }],
        });
        const attributes = {
          body: { graph: body },
          num_scan_inputs: 1,
          scan_input_axes: [1],
          scan_input_directions: [Number(backward)],
          scan_output_axes: [-1],
          scan_output_directions: [Number(turned)],
        };
        const found = await run(
          {
            nodes: [node("Scan", ["start", "xs"], ["last", "sums"], attributes)],
            inputs: [{ name: "xs" }],
            outputs: [{ name: "last" }, { name: "sums" }],
            constants: { start: given([1], [0.5]) },
          },
          { xs: tensor([list]) },
        );
        const order = backward ? [...list].reverse() : list;
        const sums = order.map((_, i) => order.slice(0, i + 1).reduce((a, b) => a + b, 0.5));
        expect(found.last).toEqual([sums.at(-1)]);
        expect(found.sums).toEqual([turned ? [...sums].reverse() : sums]);
      },
    ),
    { numRuns: 15 },
  ));

test("gradients flow through a model to its inputs, as through any other operations", async () => {
  const loaded = await loadOnnx(golden);
  const x = tensor([[1, 2]], { requiresGrad: true });
  const { y } = await loaded.run({ x });
  y.sum().backward();
  // Half the sums of the columns of W.
  expect(x.grad?.toArray()).toEqual([[4.5, 6]]);
});
