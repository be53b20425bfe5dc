// The heap hands out memory that overlaps nothing, joins what comes back, and says so when there is none left.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Heap } from "../../../engine/backends/wasm/memory/heap.ts";
import { bytesPerElement, type DType, hostView } from "../../../engine/dtype.ts";
import { OutOfMemoryError } from "../../../engine/errors.ts";

describe.each([true, false])("wasm heap, shared: %s", (shared) => {
  it("keeps blocks apart, aligned and intact, whatever comes and goes", () => {
    const steps = fc.array(
      fc.oneof(
        fc.nat(5000).map((bytes) => ({ bytes })),
        fc.nat(1000).map((free) => ({ free })),
      ),
      {
        maxLength: 60,
      },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const heap = new Heap(shared);
        const live: { address: number; bytes: number; mark: number }[] = [];
        list.forEach((step, i) => {
          if ("free" in step) {
            if (live.length > 0) heap.release(live.splice(step.free % live.length, 1)[0].address);
            return;
          }
          const address = heap.alloc(step.bytes);
          expect(address % 64).toBe(0);
          heap.view("bool", address, step.bytes).fill(i & 255);
          live.push({ address, bytes: step.bytes, mark: i & 255 });
        });
        for (const { address, bytes, mark } of live) {
          expect(heap.read("bool", address, bytes).every((byte) => byte === mark)).toBe(true);
        }
        for (const { address } of live) heap.release(address);
        expect(heap.bytesInUse).toBe(0);
        // All joined again: the first address serves the largest request.
        expect(heap.alloc(200_000)).toBe(new Heap(shared).alloc(1));
      }),
      { numRuns: 40 },
    );
  });

  it("reads into arrays of their own, of any dtype and length, none with more behind it", () => {
    const cases = fc.record({
      dtype: fc.constantFrom<DType>("f32", "f64", "i32", "bool"),
      length: fc.oneof(fc.nat(50), fc.integer({ min: 16_000, max: 70_000 })),
    });
    const heap = new Heap(shared);
    fc.assert(
      fc.property(cases, ({ dtype, length }) => {
        const address = heap.alloc(length * bytesPerElement(dtype));
        const values = Array.from({ length }, (_, i) => (i * 7) % 200);
        heap.view(dtype, address, length).set(values);
        const read = heap.read(dtype, address, length);
        heap.view(dtype, address, length).fill(1);
        expect(Buffer.compare(Buffer.from(Uint8Array.from(read)), Buffer.from(values))).toBe(0);
        expect(read.buffer.byteLength).toBe(length * bytesPerElement(dtype));
        expect(read.constructor).toBe(hostView(dtype, new ArrayBuffer(0), 0, 0).constructor);
        heap.release(address);
      }),
    );
  });

  it("lets no two of four large neighbours begin at the same place of a page, nor within 512 bytes of it", () => {
    const sizes = fc.integer({ min: 16, max: 1024 }).map((pages) => pages * 4096);
    fc.assert(
      fc.property(sizes, (bytes) => {
        const heap = new Heap(shared);
        const places = [0, 1, 2, 3].map(() => heap.alloc(bytes) % 4096).sort((a, b) => a - b);
        const gaps = places.map((place, i) => (i === 3 ? places[0] + 4096 : places[i + 1]) - place);
        expect(Math.min(...gaps)).toBeGreaterThanOrEqual(512);
      }),
      { numRuns: 20 },
    );
  });

  it("names the bytes that could not be had", () => {
    const heap = new Heap(shared);
    expect(() => heap.alloc(2 ** 33, "the arena of a program")).toThrow(OutOfMemoryError);
    expect(() => heap.alloc(2 ** 33, "the arena of a program")).toThrow(/arena of a program needs 8589934592 bytes/);
  });
});
