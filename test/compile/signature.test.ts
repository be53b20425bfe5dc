// A compiled function is the function: for arguments of any structure, in any order, a program is replayed only for what
// it was made for. The replay key is the only thing between a user and somebody else's program.

import fc from "fast-check";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { compile, grad, setBackend, Tensor, type Tree, tensor, zeros } from "../../engine/index.ts";

beforeEach(() => setBackend("wasm"));

/** What a tree is made of: numbers stand for tensors of that many ones, or for themselves. */
type Plan =
  | { readonly tensor: readonly number[]; readonly dtype: "f32" | "f64" | "i32" }
  | number
  | boolean
  | string
  | null
  | readonly Plan[]
  | { readonly fields: Readonly<Record<string, Plan>> };

const { plan } = fc.letrec<{ plan: Plan }>((tie) => ({
  plan: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({
      tensor: fc.constantFrom([], [2], [1, 2], [2, 1]),
      dtype: fc.constantFrom("f32" as const, "f64" as const, "i32" as const),
    }),
    fc.constantFrom(0, -0, 1, 2, Number.NaN),
    fc.constantFrom(true, false, null, "a", "b", "1"),
    fc.array(tie("plan"), { maxLength: 3 }),
    fc.record({ fields: fc.dictionary(fc.constantFrom("a", "b", "c"), tie("plan"), { maxKeys: 3 }) }),
  ),
}));

function build(of: Plan, value: number): Tree {
  if (typeof of !== "object" || of === null) return of;
  if (Array.isArray(of)) return of.map((item: Plan, i) => build(item, value + i));
  if ("tensor" in of) return zeros(of.tensor, { dtype: of.dtype }).add(value).cast(of.dtype).detach();
  const { fields } = of as { readonly fields: Readonly<Record<string, Plan>> };
  return Object.fromEntries(Object.entries(fields).map(([key, item], i) => [key, build(item, value + 10 * i)]));
}

/** Depends on every tensor's values, and on everything else that is in the tree. */
function digest(tree: Tree): Tree {
  if (tree instanceof Tensor) return tree.cast("f64").mul(2).add(tree.rank);
  if (Array.isArray(tree)) return [...tree.map(digest), tree.length];
  if (typeof tree === "object" && tree !== null) {
    return Object.fromEntries(Object.entries(tree).map(([key, item]) => [`${key}${key}`, digest(item)]));
  }
  return typeof tree === "number" ? 1 / tree : `${tree}`;
}

const read = (tree: Tree): unknown => {
  if (tree instanceof Tensor) return { dtype: tree.dtype, shape: tree.shape, values: Array.from(tree.dataSync()) };
  if (Array.isArray(tree)) return tree.map(read);
  if (typeof tree === "object" && tree !== null) {
    return Object.fromEntries(Object.entries(tree).map(([key, item]) => [key, read(item)]));
  }
  return tree;
};

describe("replays", () => {
  it("any sequence of arguments gives what the function gives", () => {
    fc.assert(
      fc.property(
        fc.array(plan, { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(2), { minLength: 2, maxLength: 6 }),
        (pool, order) => {
          const compiled = compile((tree: Tree) => digest(tree));
          order.forEach((choice, value) => {
            const tree = build(pool[choice % pool.length], value);
            expect(read(compiled(tree))).toEqual(read(digest(tree)));
          });
        },
      ),
      { numRuns: 150 },
    );
  });

  it("another backend makes programs of its own", async () => {
    const compiled = compile((x: Tensor) => x.mul(2));
    for (const name of ["wasm", "reference", "wasm"] as const) {
      await setBackend(name);
      expect(compiled(tensor([1, 2])).toArray()).toEqual([2, 4]);
    }
  });

  it("too many signatures are worth a warning, once", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const compiled = compile((x: Tensor) => x.sum());
    for (let n = 1; n <= 40; n++) expect(compiled(zeros([n]).add(1)).item()).toBe(n);
    expect(warn.mock.calls.flat().join()).toMatch(/traced for \d+ signatures.*pad inputs to one shape/);
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
  });
});

describe("refuses", () => {
  it("async functions, and functions among arguments", () => {
    expect(() => compile((async (x: Tensor) => x) as unknown as (x: Tensor) => Tensor)(tensor(1))).toThrow(
      /not be async/,
    );
    const takesAny = compile((x: Tree) => x);
    expect(() => takesAny((() => 1) as unknown as Tree)).toThrow(/may not be functions/);
  });

  it("to overwrite leaves while it traces, and anything but leaves", () => {
    const p = tensor([1, 2]);
    const writes = compile(() => {
      p.copyFrom([3, 4]);
      return p;
    });
    expect(() => writes()).toThrow(/not while compile\(\) traces/);
    expect(() => p.mul(2).copyFrom([1, 2])).toThrow(/only leaves/);
    expect(() => p.copyFrom([1])).toThrow(/needs 2 values for \[2\], got 1/);
  });

  it("gradients it cannot have", () => {
    const p = tensor([1, 2], { requiresGrad: true });
    expect(() => tensor(1).backward()).toThrow(/depends on no leaf/);
    expect(() => p.mul(2).backward()).toThrow(/needs a scalar or a seed of shape \[2\]/);
    p.sum().backward();
    const step = compile(() => {
      p.square().sum().backward();
      return p.grad as Tensor;
    });
    expect(() => step()).toThrow(/has a gradient from outside the compiled function/);
    p.grad = undefined;
    expect(step().toArray()).toEqual([2, 4]);
    expect(() => grad((x: Tensor) => x)(p)).toThrow(/must return a scalar/);
  });
});

it("a tensor prints what it holds", () => {
  expect(
    String(
      tensor([
        [1, Number.NaN],
        [Number.POSITIVE_INFINITY, -2],
      ]),
    ),
  ).toBe("Tensor([[1,NaN],[Infinity,-2]], shape [2, 2], f32)");
  expect(String(zeros([65]))).toBe("Tensor(..., shape [65], f32)");
});
