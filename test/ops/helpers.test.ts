// The small exports around tensors: dtypes and shapes, leaves, backends, names, stale values.

import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { Storage } from "../../engine/graph/storage.ts";
import {
  compile,
  enableRelaxedSimd,
  formatShape,
  getBackend,
  hashName,
  leafTensor,
  promote,
  rootsOf,
  StaleTensorError,
  sameShape,
  setBackend,
  tensor,
} from "../../engine/index.ts";
import { dtypes, shapes } from "../../testing/index.ts";

beforeAll(() => setBackend("reference"));

describe("dtypes and shapes", () => {
  it("promotion is a maximum: commutative, associative, idempotent", () => {
    fc.assert(
      fc.property(dtypes, dtypes, dtypes, (a, b, c) => {
        expect(promote(a, b)).toBe(promote(b, a));
        expect(promote(promote(a, b), c)).toBe(promote(a, promote(b, c)));
        expect(promote(a, a)).toBe(a);
        expect([a, b]).toContain(promote(a, b));
      }),
    );
    expect([promote("bool", "i32"), promote("i32", "f32"), promote("f32", "f64")]).toEqual(["i32", "f32", "f64"]);
  });

  it("shapes are the same where they are written the same", () => {
    fc.assert(
      fc.property(shapes(), shapes(), (a, b) => {
        expect(sameShape(a, b)).toBe(formatShape(a) === formatShape(b));
        expect(sameShape(a, [...a])).toBe(true);
      }),
    );
    expect(formatShape([2, 0, 3])).toBe("[2, 0, 3]");
  });
});

describe("leaves", () => {
  it("a leaf over a storage sees what is written there", () => {
    const storage = new Storage("f64", 2, Float64Array.of(1, 2));
    const leaf = leafTensor(storage, [2], true);
    expect(leaf.requiresGrad).toBe(true);
    leaf.copyFrom([3, 4]);
    expect(storage.host).toEqual(Float64Array.of(3, 4));
  });

  it("a gradient knows the losses it came from", () => {
    const p = tensor([1, 2], { requiresGrad: true });
    const losses = [p.sum(), p.square().sum()];
    for (const loss of losses) loss.backward();
    expect(rootsOf(p.grad as NonNullable<typeof p.grad>)).toEqual(losses);
    expect(rootsOf(tensor(1))).toEqual([]);
  });

  it("what was recorded before an update refuses to be read after it", () => {
    const p = tensor([1, 2]);
    const before = p.mul(2);
    p.copyFrom([5, 6]);
    expect(() => before.dataSync()).toThrow(StaleTensorError);
    expect(() => before.dataSync()).toThrow(/shape \[2\] \(f32\).*read it before the update, or compute it again/);
    expect(Array.from(p.mul(2).dataSync())).toEqual([10, 12]);
  });
});

it("the backend in use has a name", async () => {
  await setBackend("wasm");
  expect(getBackend()).toBe("wasm");
  await setBackend("reference");
  expect(getBackend()).toBe("reference");
});

it("relaxed SIMD is asked for, or found; then it stays", () => {
  const found = enableRelaxedSimd();
  expect(enableRelaxedSimd()).toBe(found);
  expect(Array.from(compile(() => tensor([2]).mul(3))().dataSync())).toEqual([6]);
});

it("names hash to streams: FNV-1a's published values", () => {
  expect(hashName("")).toBe(0x811c9dc5 | 0);
  expect(hashName("a")).toBe(0xe40c292c | 0);
  expect(hashName("foobar")).toBe(0xbf9cf968 | 0);
});
