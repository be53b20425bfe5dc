// Random graphs for the compiler, built from nodes: chains that share, reduce, move, contract, concatenate and gather.
// Values are small whole numbers and every operation keeps f64 exact or nearly so; what is tested is structure.

import fc from "fast-check";
import { dataNode, type Node } from "../engine/graph/node.ts";
import { Storage } from "../engine/graph/storage.ts";
import { build } from "../engine/primitives/index.ts";
import { type Shape, sizeOf } from "../engine/shape.ts";
import { Tensor } from "../engine/tensor.ts";

/** A step of a recipe: an operation number and free choices; it is always applicable to what exists so far. */
export interface Recipe {
  readonly leaves: readonly Shape[];
  readonly steps: readonly (readonly [op: number, pick: number, a: number, b: number])[];
  readonly outputs: number;
}

const side = fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 2, max: 5 }) }, fc.constantFrom(0, 1, 1));
const choice = fc.nat({ max: 1000 });

export const recipes: fc.Arbitrary<Recipe> = fc.record({
  leaves: fc.array(fc.array(side, { maxLength: 4 }), { minLength: 1, maxLength: 3 }),
  steps: fc.array(fc.tuple(choice, choice, choice, choice), { minLength: 1, maxLength: 18 }),
  outputs: fc.integer({ min: 1, max: 3 }),
});

/** The results a recipe asks for, as lazy tensors of one graph. */
export function cook(recipe: Recipe): Tensor[] {
  let seed = 1;
  const random = (): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return ((seed >>> 8) % 9) - 4;
  };
  const pool = recipe.leaves.map((shape): Node => {
    const values = Float64Array.from({ length: sizeOf(shape) }, random);
    return dataNode(new Storage("f64", values.length, values), shape);
  });
  for (const [op, pick, a, b] of recipe.steps) {
    // Favour recent values: long chains fuse in more interesting ways.
    const x = pool[pool.length - 1 - (pick % Math.min(pool.length, 4))];
    const made = steps[op % steps.length](x, pool, a, b);
    if (made !== undefined && sizeOf(made.shape) <= 2000) pool.push(made);
  }
  const count = Math.min(recipe.outputs, pool.length);
  return pool.slice(pool.length - count).map((node) => new Tensor(node));
}

type Step = (x: Node, pool: readonly Node[], a: number, b: number) => Node | undefined;

const axisOf = (x: Node, a: number): number | undefined => (x.shape.length === 0 ? undefined : a % x.shape.length);

/** Another value brought to the shape of x by reshape or broadcasting, if that can be. */
function partner(x: Node, pool: readonly Node[], a: number): Node {
  for (let i = 0; i < pool.length; i++) {
    const y = pool[(a + i) % pool.length];
    if (y === x) continue;
    if (sizeOf(y.shape) === sizeOf(x.shape)) return build.reshape(y, x.shape);
    const lead = x.shape.length - y.shape.length;
    if (lead >= 0 && y.shape.every((s, axis) => s === x.shape[axis + lead] || s === 1)) {
      const shape = [...new Array<number>(lead).fill(1), ...y.shape];
      return build.apply("expand", [build.reshape(y, shape)], { shape: x.shape });
    }
  }
  return x;
}

function factor(x: Node, a: number): Node | undefined {
  const size = sizeOf(x.shape);
  const divisors = Array.from({ length: size }, (_, i) => i + 1).filter((d) => size % d === 0);
  if (divisors.length === 0) return undefined;
  const d = divisors[a % divisors.length];
  return build.reshape(x, [d, size / d]);
}

const reduceWith =
  (op: "sum" | "max" | "min", keep: boolean): Step =>
  (x, _pool, a, b) => {
    const axes = x.shape.map((_, i) => i).filter((i) => ((a >> i) & 1) === 1 || i === b % Math.max(1, x.shape.length));
    if (axes.length === 0 || (op !== "sum" && sizeOf(x.shape) === 0)) return undefined;
    const y = build[op](x, axes);
    return keep ? build.sub(x, build.unreduce(y, x.shape, axes)) : y;
  };

const steps: readonly Step[] = [
  (x) => build.neg(x),
  (x, _pool, a) => build.mul(build.abs(x), build.fill(x, [0.5, -0.25, 0.125][a % 3])),
  (x) => build.sqrt(build.abs(x)),
  (x) => build.exp(build.mul(build.tanh(x), build.fill(x, 0.25))),
  (x, pool, a) => build.add(x, partner(x, pool, a)),
  (x, pool, a) => build.mul(build.tanh(x), build.tanh(partner(x, pool, a))),
  (x, pool, a) => build.maximum(x, partner(x, pool, a)),
  (x, pool, a) => build.where(build.less(x, partner(x, pool, a)), x, build.neg(x)),
  reduceWith("sum", false),
  reduceWith("max", false),
  reduceWith("sum", true),
  reduceWith("max", true),
  reduceWith("min", true),
  (x, _pool, a) => {
    // A value per row that is read by other rows than its own: it must not be taken from a register.
    if (x.shape.length !== 2 || x.shape[0] !== x.shape[1]) return undefined;
    const y = build.sum(x, [a % 2]);
    return build.sub(x, build.unreduce(y, x.shape, [1 - (a % 2)]));
  },
  (x, _pool, a) => {
    const axis = axisOf(x, a);
    if (axis === undefined || x.shape.length < 2 || sizeOf(x.shape) === 0) return undefined;
    const y = build.apply("flip", [build.max(x, [axis])], { axes: [0] });
    return build.mul(build.tanh(x), build.tanh(build.unreduce(y, x.shape, [axis])));
  },
  (x, _pool, a) => {
    // A softmax: three passes over rows.
    const axis = axisOf(x, a);
    if (axis === undefined || sizeOf(x.shape) === 0) return undefined;
    const e = build.exp(build.sub(x, build.unreduce(build.max(x, [axis]), x.shape, [axis])));
    return build.div(e, build.unreduce(build.sum(e, [axis]), x.shape, [axis]));
  },
  (x, _pool, a, b) => {
    const order = x.shape.map((_, i) => i);
    for (let i = order.length - 1; i > 0; i--) {
      const j = (a + b * i) % (i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return build.permute(x, order);
  },
  (x, _pool, a) => factor(x, a),
  (x) => build.reshape(x, [sizeOf(x.shape)]),
  (x, _pool, a, b) => {
    const starts = x.shape.map((s, i) => Math.min(s, (a >> i) & 1));
    return build.apply("slice", [x], { starts, stops: x.shape, steps: x.shape.map((_, i) => 1 + ((b >> i) & 1)) });
  },
  (x, _pool, a) => {
    const axes = x.shape.map((_, i) => i).filter((i) => ((a >> i) & 1) === 1);
    return build.apply("flip", [x], { axes });
  },
  (x, _pool, a, b) => {
    const lo = x.shape.map((_, i) => (a >> i) & 1);
    const hi = x.shape.map((_, i) => (b >> i) & 1);
    return build.apply("pad", [x], { lo, hi, value: (a % 3) - 1 });
  },
  (x, _pool, a, b) => {
    const axis = axisOf(x, a);
    if (axis === undefined || x.shape[axis] < 2) return undefined;
    const attrs = {
      axes: [axis],
      sizes: [2],
      strides: [1 + (b % 2)],
      dilations: [x.shape[axis] > 2 ? 1 + (a % 2) : 1],
    };
    return build.apply("windows", [x], attrs);
  },
  (x, pool, a, b) => {
    const axis = axisOf(x, b);
    if (axis === undefined) return undefined;
    const y =
      pool.find(
        (v, i) =>
          i >= a % pool.length &&
          v.shape.length === x.shape.length &&
          v.shape.every((s, j) => j === axis || s === x.shape[j]),
      ) ?? x;
    return build.apply("concat", [x, y], { axis });
  },
  (x) => {
    const rank = x.shape.length;
    if (rank < 2) return undefined;
    const order = x.shape.map((_, i) => (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
    return build.mul(
      build.apply("contract", [x, build.permute(x, order)], {}),
      build.apply("full", [], {
        shape: [...x.shape.slice(0, -1), x.shape[rank - 2]],
        dtype: "f64",
        value: 0.125,
      }),
    );
  },
  (x, _pool, a, b) => {
    const axis = axisOf(x, a);
    if (axis === undefined || x.shape[axis] === 0) return undefined;
    const shape = x.shape.with(axis, 1 + (b % 3));
    const at = build.apply("iota", [], { shape, axis: b % shape.length });
    const bound = build.fill(at, x.shape[axis]);
    return build.apply("gather", [x, build.remainder(at, bound)], { axis, source: "gather index" });
  },
  (x, _pool, a) => {
    const axis = axisOf(x, a);
    if (axis === undefined || x.shape[axis] === 0) return undefined;
    const at = build.apply("iota", [], { shape: x.shape, axis });
    const half = build.apply("full", [], { shape: x.shape, dtype: "i32", value: 2 });
    return build.apply("scatterAdd", [build.fill(x, 1), build.div(at, half), x], { axis, source: "scatterAdd index" });
  },
  (x, pool, a, b) => {
    const axis = axisOf(x, a);
    if (axis === undefined) return undefined;
    const attrs = { axis, reverse: b % 2 === 1 };
    if (b % 3 === 0) return build.apply("cummax", [x], attrs);
    const coefficients = build.mul(build.tanh(partner(x, pool, a)), build.fill(x, 0.5));
    return build.apply("recurrence", [coefficients, x], { ...attrs, lag: b % 5 < 2 });
  },
  (x, _pool, a, b) => {
    // What a scan reads is stored first: kernels alike but for a constant.
    const axis = axisOf(x, b);
    if (axis === undefined) return undefined;
    const scaled = build.mul(x, build.fill(x, [0.5, -0.25, 0.125][a % 3]));
    return build.apply("cumsum", [scaled], { axis, reverse: a % 2 === 1 });
  },
  (x) =>
    x.shape.length === 0
      ? undefined
      : build.cast(build.apply("argsort", [x], { descending: false, kept: x.shape[x.shape.length - 1] }), "f64"),
];
