// safetensors: round trips, a file written by hand to the format, and every way for a file to be wrong.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  DataError,
  type DType,
  decodeSafetensors,
  encodeSafetensors,
  setBackend,
  type Tensor,
  tensor,
} from "../../engine/index.ts";

beforeAll(() => setBackend("wasm"));

const element: Record<DType, fc.Arbitrary<number>> = {
  f32: fc.float(),
  f64: fc.double(),
  i32: fc.integer(),
  bool: fc.integer({ min: 0, max: 1 }),
};

const someTensor: fc.Arbitrary<Tensor> = fc
  .tuple(fc.constantFrom<DType>("f32", "f64", "i32", "bool"), fc.array(fc.nat(3), { maxLength: 3 }))
  .chain(([dtype, shape]) => {
    const size = shape.reduce((product, side) => product * side, 1);
    return fc
      .array(element[dtype], { minLength: size, maxLength: size })
      .map((values) => tensor(Float64Array.from(values), { shape, dtype }));
  });
const named = fc.dictionary(
  fc.string().filter((name) => name !== "__metadata__"),
  someTensor,
  { maxKeys: 4 },
);

/** A file with this header text (or bytes) and data. */
function file(header: string | Uint8Array, data: Uint8Array = new Uint8Array(0), length?: bigint): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}
const entry = (dtype: string, shape: number[], offsets: number[]) => ({ dtype, shape, data_offsets: offsets });
const of = (header: object, size: number): Uint8Array => file(JSON.stringify(header), new Uint8Array(size));

test("what is written is read, to the bit, whatever the names, shapes and dtypes; data is aligned", async () => {
  await fc.assert(
    fc.asyncProperty(named, fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }), async (tensors, metadata) => {
      const bytes = await encodeSafetensors(tensors, metadata);
      const start = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
      expect(start % 8).toBe(0);
      const read = decodeSafetensors(bytes);
      expect(read.metadata).toEqual(metadata);
      expect(Object.keys(read.tensors).sort()).toEqual(Object.keys(tensors).sort());
      for (const [name, x] of Object.entries(tensors)) {
        const y = read.tensors[name];
        expect([y.dtype, y.shape]).toEqual([x.dtype, x.shape]);
        expect(y.dataSync()).toEqual(x.dataSync());
      }
    }),
    { numRuns: 60 },
  );
});

test("a file written by hand to the format is read; halves, bfloats and integers become what we have", () => {
  const header = {
    __metadata__: { format: "pt" },
    half: entry("F16", [5], [0, 10]),
    brain: entry("BF16", [2], [10, 14]),
    long: entry("I64", [2], [14, 30]),
    byte: entry("U8", [2], [30, 32]),
    scalar: entry("F32", [], [32, 36]),
    flag: entry("BOOL", [2], [36, 38]),
    none: entry("F32", [0, 3], [38, 38]),
  };
  const data = new Uint8Array(38);
  const view = new DataView(data.buffer);
  [0x3c00, 0xc000, 0x7c00, 0x0001, 0x3555].forEach((bits, i) => {
    view.setUint16(2 * i, bits, true);
  });
  [0x3f80, 0xc2f7].forEach((bits, i) => {
    view.setUint16(10 + 2 * i, bits, true);
  });
  [7n, -9n].forEach((value, i) => {
    view.setBigInt64(14 + 8 * i, value, true);
  });
  data.set([250, 3], 30);
  view.setFloat32(32, 1.5, true);
  data.set([1, 0], 36);
  const { tensors, metadata } = decodeSafetensors(file(`${JSON.stringify(header)}  `, data));
  expect(metadata).toEqual({ format: "pt" });
  expect(tensors.half.toArray()).toEqual([1, -2, Number.POSITIVE_INFINITY, 2 ** -24, Math.fround(0.333251953125)]);
  expect(tensors.brain.toArray()).toEqual([1, -123.5]);
  expect([tensors.long.dtype, tensors.long.toArray()]).toEqual(["i32", [7, -9]]);
  expect(tensors.byte.toArray()).toEqual([250, 3]);
  expect(tensors.scalar.item()).toBe(1.5);
  expect([tensors.flag.dtype, tensors.flag.toArray()]).toEqual(["bool", [1, 0]]);
  expect(tensors.none.shape).toEqual([0, 3]);
});

describe("a file that is not right gives an error that says why", () => {
  const one = entry("F32", [2], [0, 8]);
  const cases: [string, Uint8Array, RegExp][] = [
    ["nothing", new Uint8Array(0), /truncated: 0 bytes/],
    ["no whole length", new Uint8Array(7), /truncated: 7 bytes/],
    ["an oversized header", file("{}", undefined, 100_000_001n), /larger than 100000000/],
    ["an absurd header", file("{}", undefined, 2n ** 64n - 1n), /larger than/],
    ["a truncated header", file("{}", undefined, 3n), /truncated: a header of 3 bytes/],
    ["not UTF-8", file(Uint8Array.of(0x7b, 0xff, 0x7d)), /not UTF-8/],
    ["not an object", file("[1]"), /does not start with \{/],
    ["not JSON", file("{,}"), /not JSON/],
    [
      "duplicate tensors",
      file(`{"a":${JSON.stringify(one)},"a":${JSON.stringify(one)}}`, new Uint8Array(8)),
      /key "a" twice/,
    ],
    [
      "duplicates in disguise",
      file(`{"a":${JSON.stringify(one)},"\\u0061":${JSON.stringify(one)}}`, new Uint8Array(8)),
      /key "a" twice/,
    ],
    [
      "duplicate fields",
      file(`{"a":{"dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8]}}`, new Uint8Array(8)),
      /key "dtype" twice/,
    ],
    ["an unknown dtype", of({ a: entry("F8_E5M2", [8], [0, 8]) }, 8), /unknown dtype "F8_E5M2"/],
    ["an inherited dtype", of({ a: entry("toString", [8], [0, 8]) }, 8), /unknown dtype/],
    ["a negative side", of({ a: entry("F32", [-2], [0, 8]) }, 8), /shape \[-2\]/],
    ["a wrong size", of({ a: entry("F32", [3], [0, 8]) }, 8), /12 bytes, but has 8/],
    ["a huge shape", of({ a: entry("F32", [2 ** 52, 2 ** 52], [0, 8]) }, 8), /but has 8/],
    ["reversed offsets", of({ a: entry("F32", [2], [8, 0]) }, 8), /not \[begin, end\]/],
    ["three offsets", of({ a: entry("F32", [2], [0, 8, 8]) }, 8), /not \[begin, end\]/],
    ["overlap", of({ a: one, b: entry("F32", [2], [4, 12]) }, 12), /"b" overlaps/],
    ["a hole", of({ a: one, b: entry("F32", [1], [12, 16]) }, 16), /hole before "b"/],
    ["out of range", of({ a: one }, 4), /truncated: "a" ends at byte 8 of 4/],
    ["trailing bytes", of({ a: one }, 9), /1 bytes after the last tensor/],
    ["metadata of numbers", of({ __metadata__: { a: 1 } }, 0), /not a record of strings/],
    ["a bare entry", of({ a: 3 }, 0), /not described by a record/],
    [
      "a bool of 2",
      file(JSON.stringify({ a: entry("BOOL", [1], [0, 1]) }), Uint8Array.of(2)),
      /is 2, which does not fit bool/,
    ],
    [
      "a long beyond i32",
      file(JSON.stringify({ a: entry("I64", [1], [0, 8]) }), Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0)),
      /4294967296, which does not fit i32/,
    ],
  ];
  for (const [name, bytes, message] of cases) {
    test(name, () => {
      expect(() => decodeSafetensors(bytes)).toThrow(DataError);
      expect(() => decodeSafetensors(bytes)).toThrow(message);
    });
  }

  test("fuzzed: flipped, cut and spliced bytes are a DataError or a file, never anything else", async () => {
    const good = await encodeSafetensors(
      {
        a: tensor([
          [1, 2],
          [3, 4],
        ]),
        "b.c": tensor([1, 0], { dtype: "i32" }),
      },
      { step: "7" },
    );
    const damage = fc.oneof(
      fc.record({ at: fc.nat(good.length - 1), value: fc.nat(255) }).map(({ at, value }) => good.with(at, value)),
      fc.nat(good.length).map((length) => good.slice(0, length)),
      fc
        .tuple(fc.nat(good.length), fc.uint8Array({ maxLength: 9 }))
        .map(([at, more]) => Uint8Array.from([...good.slice(0, at), ...more, ...good.slice(at)])),
      fc.uint8Array({ maxLength: 60 }),
      fc.json().map((text) => file(text)),
    );
    fc.assert(
      fc.property(damage, (bytes) => {
        try {
          decodeSafetensors(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
        }
      }),
      { numRuns: 1500 },
    );
  });
});

test("the name of the metadata is not a tensor's", async () => {
  await expect(encodeSafetensors({ __metadata__: tensor([1]) })).rejects.toThrow(/__metadata__/);
});
