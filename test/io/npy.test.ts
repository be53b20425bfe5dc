// npy and npz: round trips, files written by hand to the formats, and damaged ones.

import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { DataError, decodeNpy, decodeNpz, encodeNpy, encodeNpz, setBackend, tensor } from "../../engine/index.ts";

beforeAll(() => setBackend("wasm"));

const npy = (header: string, data: Uint8Array, version = 1): Uint8Array => {
  const text = new TextEncoder().encode(header);
  const length = version === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0];
  return Uint8Array.from([0x93, ...new TextEncoder().encode("NUMPY"), version, 0, ...length, ...text, ...data]);
};

test("what is written is read, alone and in an archive", async () => {
  const shapes = fc.array(fc.nat(3), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(shapes, fc.constantFrom("f32", "f64", "i32", "bool"), async (shape, dtype) => {
      const size = shape.reduce((product, side) => product * side, 1);
      const x = tensor(
        Float64Array.from({ length: size }, (_, i) => (dtype === "bool" ? i % 2 : i - 3)),
        { shape, dtype },
      );
      const bytes = await encodeNpy(x);
      expect((bytes.length - x.size * (dtype === "f64" ? 8 : dtype === "bool" ? 1 : 4)) % 64).toBe(0);
      const archive = await decodeNpz(await encodeNpz({ x, "layer/ä": x }));
      for (const y of [decodeNpy(bytes), archive.x, archive["layer/ä"]]) {
        expect([y.dtype, y.shape]).toEqual([dtype, shape]);
        expect(y.dataSync()).toEqual(x.dataSync());
      }
    }),
    { numRuns: 30 },
  );
});

test("column-major arrays, halves and other versions are read", () => {
  const data = Uint8Array.from([0, 0x3c, 0, 0x40, 0, 0x42, 0, 0x44, 0, 0x45, 0, 0x46]);
  const x = decodeNpy(npy("{'descr': '<f2', 'fortran_order': True, 'shape': (2, 3), }\n", data, 2));
  expect(x.toArray()).toEqual([
    [1, 3, 5],
    [2, 4, 6],
  ]);
  expect(
    decodeNpy(npy("{'shape': (1,), 'descr': '|u1', 'fortran_order': False}", Uint8Array.of(9), 3)).toArray(),
  ).toEqual([9]);
});

test("deflated archives are read", async () => {
  const array = npy("{'descr': '|i1', 'fortran_order': False, 'shape': (300,), }\n", new Uint8Array(300).fill(5));
  const stored = await encodeNpz({ a: tensor(new Int32Array(300).fill(5)) });
  expect((await decodeNpz(stored)).a.size).toBe(300);
  // The same archive by hand, its one member deflated.
  const packed = deflateRawSync(array);
  const name = new TextEncoder().encode("a.npy");
  const crc = new DataView(zipOf(array).buffer).getUint32(14, true);
  const u32 = (n: number): number[] => [n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24];
  const common = [20, 0, 0, 0, 8, 0, 0, 0, 0, 0, ...u32(crc), ...u32(packed.length), ...u32(array.length)];
  const local = [0x50, 0x4b, 3, 4, ...common, name.length, 0, 0, 0, ...name, ...packed];
  const central = [0x50, 0x4b, 1, 2, 20, 0, ...common, name.length, 0, ...new Array<number>(16).fill(0), ...name];
  const end = [0x50, 0x4b, 5, 6, 0, 0, 0, 0, 1, 0, 1, 0, ...u32(central.length), ...u32(local.length), 0, 0];
  const bytes = Uint8Array.from([...local, ...central, ...end]);
  expect((await decodeNpz(bytes)).a.toArray()).toEqual(new Array(300).fill(5));
  const lying = bytes.slice();
  lying[local.length + 24] -= 1;
  await expect(decodeNpz(lying)).rejects.toThrow(/larger than it says/);
});

/** A stored member's local header, with the checksum that the reader will want. */
function zipOf(data: Uint8Array): Uint8Array {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  const bytes = new Uint8Array(30);
  new DataView(bytes.buffer).setUint32(14, (crc ^ 0xffffffff) >>> 0, true);
  return bytes;
}

test("damaged files give a DataError that says why", async () => {
  const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
  const wrong: [Uint8Array, RegExp][] = [
    [new Uint8Array(3), /does not start as one/],
    [npy(header, new Uint8Array(7)), /8 bytes, but has 7/],
    [npy(header, new Uint8Array(8), 4), /version 4/],
    [npy(header.replace("<f4", ">f4"), new Uint8Array(8)), /'>f4' is not supported/],
    [npy(header.replace("<f4", "|O"), new Uint8Array(8)), /not supported/],
    [npy("{}", new Uint8Array(8)), /does not give/],
    [npy(header, new Uint8Array(8)).slice(0, 20), /truncated/],
  ];
  for (const [bytes, message] of wrong) {
    expect(() => decodeNpy(bytes)).toThrow(DataError);
    expect(() => decodeNpy(bytes)).toThrow(message);
  }
  const good = await encodeNpz({ a: tensor([1, 2, 3]), b: tensor([true]) });
  await expect(decodeNpz(good.slice(0, -5))).rejects.toThrow(/no directory/);
  await expect(decodeNpz(good.with(good.indexOf(0x80, 60), 1))).rejects.toThrow(DataError);
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), fc.boolean(), async (at, value, cut) => {
      const bytes = cut ? good.slice(0, at) : good.with(at, value);
      await decodeNpz(bytes).catch((error: unknown) => expect(error).toBeInstanceOf(DataError));
    }),
    { numRuns: 300 },
  );
});
