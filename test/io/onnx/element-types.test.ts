// Element types: every pattern of the small floats, rounding, wrapping, and integers that the engine cannot carry.

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { setBackend, tensor } from "../../../engine/index.ts";
import { decodeOnnxTensor, onnxValue, UnsupportedOnnxError } from "../../../engine/io/onnx/index.ts";
import {
  bitsOfMini,
  largestOf,
  type MiniFloat,
  miniFloats,
  miniFromBits,
  roundToMini,
  saturateToMini,
} from "../../../engine/io/onnx/mini-floats.ts";
import { given, runNode, runOne, tensorBytes, whole } from "./build.ts";

beforeAll(() => setBackend("wasm"));

const formats = Object.entries<MiniFloat>(miniFloats);
const patterns = ({ exponentBits, fractionBits, powersOnly }: MiniFloat): number[] =>
  Array.from({ length: 2 ** (exponentBits + fractionBits + (powersOnly ? 0 : 1)) }, (_, i) => i);

test.each(formats)("%s: every pattern is its number, and every number rounds to itself", (_, format) => {
  const wrong = patterns(format).filter((bits) => {
    const value = miniFromBits(format, bits);
    // A NaN has many patterns.
    if (Number.isNaN(value)) return !Number.isNaN(miniFromBits(format, bitsOfMini(format, value)));
    return bitsOfMini(format, value) !== bits || !Object.is(roundToMini(format, value), value);
  });
  expect(wrong).toEqual([]);
});

test("largest numbers, as their definitions tell", () => {
  expect(formats.map(([name, format]) => [name, largestOf(format)])).toEqual([
    ["float16", 65504],
    ["bfloat16", 3.3895313892515355e38],
    ["float8e4m3fn", 448],
    ["float8e4m3fnuz", 240],
    ["float8e5m2", 57344],
    ["float8e5m2fnuz", 57344],
    ["float4e2m1", 6],
    ["float8e8m0", 2 ** 127],
  ]);
});

test.each(formats.filter(([, { powersOnly }]) => !powersOnly))(
  "%s: rounding is to the nearest, ties to even",
  (_, format) => {
    const finite = patterns(format)
      .map((bits) => miniFromBits(format, bits))
      .filter((value) => Number.isFinite(value) && (value > 0 || Object.is(value, 0)))
      .sort((a, b) => a - b);
    const between = fc.tuple(fc.nat(finite.length - 2), fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean());
    fc.assert(
      fc.property(between, ([i, t, negative]) => {
        const [low, high] = [finite[i], finite[i + 1]];
        const value = low + (high - low) * t;
        const even = bitsOfMini(format, low) % 2 === 0 ? low : high;
        const middle = (low + high) / 2;
        const want = value === middle ? even : value < middle ? low : high;
        expect(Math.abs(roundToMini(format, negative ? -value : value))).toBe(want);
      }),
    );
    const beyond = largestOf(format) * 1.5;
    expect(saturateToMini(format, beyond)).toBe(largestOf(format));
    expect(roundToMini(format, beyond)).toBe(format.top === "ieee" ? Number.POSITIVE_INFINITY : Number.NaN);
  },
);

test("casts to small integers wrap, to bool test for zero, of floats drop the fraction", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: -70000, max: 70000 }), { minLength: 1, maxLength: 8 }),
      async (list) => {
        const x = given([list.length], list, "int32");
        const to = async (code: number): Promise<number[]> =>
          (await runOne("Cast", [x], { attributes: { to: code } })).data;
        expect(await to(2)).toEqual([...Uint8Array.from(list)]);
        expect(await to(3)).toEqual([...Int8Array.from(list)]);
        expect(await to(4)).toEqual([...Uint16Array.from(list)]);
        expect(await to(9)).toEqual(list.map((n) => Number(n !== 0)));
        const halves = given(
          [list.length],
          list.map((n) => n / 8),
        );
        expect((await runOne("Cast", [halves], { attributes: { to: 7 } })).data).toEqual(
          list.map((n) => Math.trunc(n / 8) + 0),
        );
      },
    ),
    { numRuns: 20 },
  ));

test("float16 results are rounded to float16 after every node", async () => {
  const x = given(
    [3],
    [1, 2049 / 1024, 60000].map((v) => roundToMini(miniFloats.float16, v)),
    "float16",
  );
  const { data, type } = await (async () => {
    const value = await onnxValue("float16", tensor(Float32Array.from(x.data)));
    return { data: [...(await value.tensor.data())], type: value.type.name };
  })();
  expect([data, type]).toEqual([[1, 2, 60000], "float16"]);
});

test("bytes of integers of any width, several to a byte, become the numbers they are", async () => {
  const read = async (base64: string): Promise<bigint[]> => [
    ...(await (await decodeOnnxTensor(Uint8Array.from(Buffer.from(base64, "base64")))).bigints()),
  ];
  // As ONNX's own Python library writes them: int64 [1, -2, 2^40], int4 [1, -8, 7].
  expect(await read("CAMQB0IBdEoYAQAAAAAAAAD+/////////wAAAAAAAQAA")).toEqual([1n, -2n, 2n ** 40n]);
  expect(await read("CAMQFioDgQEHQgF0")).toEqual([1n, -8n, 7n]);
  const halves = await decodeOnnxTensor(Uint8Array.from(Buffer.from("CAIQCkIBdEoEAD4AtA==", "base64")));
  expect([...(await halves.tensor.data())]).toEqual([1.5, -0.25]);
});

test("integers beyond i32 are refused where they would be computed with, never wrapped", async () => {
  const large = await decodeOnnxTensor(tensorBytes(whole(2 ** 40)));
  expect(() => large.tensor).toThrow(UnsupportedOnnxError);
  const x = given([1], [2 ** 30], "int64");
  await expect(runOne("Mul", [x, x])).rejects.toThrow(/int64 .*1152921504606847000.*does not fit/);
  expect((await runOne("Sub", [x, x])).data).toEqual([0]);
  // int32 has arithmetic of its own, which wraps.
  const y = given([1], [2 ** 30], "int32");
  expect((await runOne("Add", [y, y])).data).toEqual([-(2 ** 31)]);
});

test("bits: shifts by any amount, logic, and patterns read as another type", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer(), fc.integer(), fc.integer({ min: -3, max: 40 })), { minLength: 1, maxLength: 6 }),
      async (list) => {
        const column = (k: number) =>
          given(
            [list.length],
            list.map((row) => row[k]),
            "int32",
          );
        const [a, b, by] = [0, 1, 2].map(column);
        const shifted = async (direction: string) =>
          (await runOne("BitShift", [a, by], { opset: 28, attributes: { direction } })).data;
        const inside = (n: number): boolean => n >= 0 && n < 32;
        expect(await shifted("LEFT")).toEqual(list.map(([x, , n]) => (inside(n) ? x << n : 0)));
        expect(await shifted("RIGHT")).toEqual(list.map(([x, , n]) => (inside(n) ? x >> n : x < 0 ? -1 : 0)));
        for (const [op, fn] of [
          ["BitwiseAnd", (x: number, y: number) => x & y],
          ["BitwiseOr", (x: number, y: number) => x | y],
          ["BitwiseXor", (x: number, y: number) => x ^ y],
        ] as const)
          expect((await runOne(op, [a, b])).data).toEqual(list.map(([x, y]) => fn(x, y)));
        const [floats] = await runNode("BitCast", [a], { opset: 26, attributes: { to: 1 } });
        expect(floats.data).toEqual([...new Float32Array(Int32Array.from(a.data).buffer)]);
      },
    ),
    { numRuns: 15 },
  ));
