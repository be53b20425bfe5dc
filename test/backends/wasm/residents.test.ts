// Inputs kept in the heap are a cache: never stale, never in the way of an update in place, never without bound.

import { describe, expect, test } from "vitest";
import { Heap } from "../../../engine/backends/wasm/memory/heap.ts";
import { Residents } from "../../../engine/backends/wasm/memory/residents.ts";
import { Storage } from "../../../engine/graph/storage.ts";
import { assign, compile, type Tensor, tensor } from "../../../engine/index.ts";

const large = 1 << 13;
const filled = (value: number): Tensor => tensor(new Float32Array(large).fill(value));

describe("inputs that are read again and again", () => {
  test("show new values after copyFrom", () => {
    const x = filled(1);
    const double = compile((v: Tensor) => v.mul(2).sum());
    for (let value = 1; value < 6; value++) {
      for (let i = 0; i < 3; i++) expect(double(x).item()).toBe(2 * value * large);
      x.copyFrom(new Float32Array(large).fill(value + 1));
    }
  });

  test("can become state that a step updates in place, and be an argument beside it", () => {
    const x = filled(1);
    const total = compile((v: Tensor) => v.sum());
    const grow = compile((v: Tensor) => {
      assign(x, x.add(v));
      return x.sum();
    });
    for (let i = 0; i < 3; i++) expect(total(x).item()).toBe(large);
    expect(grow(filled(2)).item()).toBe(3 * large);
    expect(total(x).item()).toBe(3 * large);
    // The old and the new value of one tensor: the argument is read before the update.
    expect(grow(x).item()).toBe(6 * large);
    expect(total(x).item()).toBe(6 * large);
  });

  test("take at most a fixed share of the heap, the oldest leaving first", () => {
    const heap = new Heap();
    const residents = new Residents(heap);
    const length = 1 << 22;
    const host = new Float32Array(length);
    const storages = Array.from({ length: 40 }, () => new Storage("f32", length, host));
    for (const storage of storages) {
      residents.read(storage);
      expect(storage.device).toBeUndefined();
      residents.read(storage);
      expect(storage.device).toBeDefined();
      expect(heap.bytesInUse).toBeLessThanOrEqual(2 ** 28 + 2 ** 25);
    }
    expect(storages[0].device).toBeUndefined();
    expect(storages[39].device).toBeDefined();
  });
});
