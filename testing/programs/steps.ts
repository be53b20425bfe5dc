// The steps random programs are made of.

import * as S from "../../engine/index.ts";
import {
  fitsTogether,
  isExact,
  isFloat,
  largest,
  moved,
  pair,
  partner,
  row,
  type Step,
  smooth,
  someAxis,
  Tape,
  type Value,
} from "./values.ts";

const one = () => 1;
const grown = (b: number) => b + 1;

/** Functions whose derivatives exist everywhere. */
export const smoothSteps: Readonly<Record<string, Step>> = {
  tanh: smooth("tanh", S.tanh, 1, one),
  sigmoid: smooth("sigmoid", S.sigmoid, 1, one),
  sin: smooth("sin", S.sin, 1, one),
  cos: smooth("cos", S.cos, 1, one),
  erf: smooth("erf", S.erf, 1.2, one),
  silu: smooth("silu", S.silu, 1.2, grown),
  gelu: smooth("gelu", S.gelu, 1.2, grown),
  softplus: smooth("softplus", S.softplus, 1, grown),
  exp: (v) =>
    v.bound <= 4 ? smooth("exp", S.exp, Math.exp(v.bound), (b) => Math.exp(b))(v, new Tape([]), []) : undefined,
  rsqrt: (v) =>
    v.bound <= 100
      ? smooth("rsqrt(1 + x^2)", (x) => S.rsqrt(S.add(S.square(x), 1)), 1, one)(v, new Tape([]), [])
      : undefined,
  add: pair("add", S.add, (a, b) => [a.bound + b.bound, a.error + b.error]),
  sub: pair("sub", S.sub, (a, b) => [a.bound + b.bound, a.error + b.error]),
  mul: pair("mul", S.mul, (a, b) => [a.bound * b.bound, a.bound * b.error + b.bound * a.error]),
  div: pair(
    "x / (1 + y^2)",
    (x, y) => S.div(x, S.add(S.square(y), 1)),
    (a, b) => [a.bound, a.error + a.bound * (b.error + 4) + 1],
    false,
  ),
  sum: (v, tape) => {
    if (!isFloat(v)) return undefined;
    const [axis, count] = someAxis(v, tape);
    const exact = isExact(v) && v.bound * count <= 2 ** 20;
    const error = exact ? 0 : count * v.error + count * count * v.bound;
    return {
      x: S.sum(v.x, axis, { keepDims: tape.next(2) === 1 }),
      bound: count * v.bound,
      error,
      text: `sum ${axis}`,
    };
  },
  mean: (v, tape) => {
    const [axis, count] = someAxis(v, tape);
    if (!isFloat(v) || count === 0) return undefined;
    const error = v.error + (count + 2) * v.bound;
    return { x: S.mean(v.x, axis, { keepDims: tape.next(2) === 1 }), bound: v.bound, error, text: `mean ${axis}` };
  },
  softmax: row(
    "softmax",
    (x, axis) => S.softmax(x, axis),
    (v, n) => [1, 4 * v.error + 4 * v.bound + n + 16],
  ),
  logSoftmax: row(
    "logSoftmax",
    (x, axis) => S.logSoftmax(x, axis),
    (v, n) => [2 * v.bound + Math.log(n), 4 * v.error + 8 * v.bound + n + 16],
  ),
  logsumexp: row(
    "logsumexp",
    (x, axis) => S.logsumexp(x, axis),
    (v, n) => [v.bound + Math.log(n), 2 * v.error + 8 * v.bound + n + 16],
  ),
  layerNorm: row(
    "layerNorm",
    (x) => S.layerNorm(x, x.shape.slice(-1), { eps: 1 }),
    (v, n) => [Math.sqrt(n), (1 + Math.sqrt(n)) * (2 * v.error + 2 * n * v.bound) + n * Math.sqrt(n) + 16],
    true,
  ),
  matmul: (v, tape, pool) => {
    if (!isFloat(v) || v.x.rank < 2) return undefined;
    const k = v.x.shape[v.x.rank - 1];
    const fits = (w: Value) => w.x.dtype === v.x.dtype && w.x.rank >= 2 && w.x.shape[w.x.rank - 1] === k;
    const w = tape.pick(pool.filter(fits));
    const rows = S.flatten(w.x, 0, -2);
    if ((v.x.size / Math.max(1, k)) * rows.shape[0] > largest) return undefined;
    const exact = isExact(v) && isExact(w) && k * v.bound * w.bound <= 2 ** 20;
    const error = exact ? 0 : k * (v.bound * w.error + w.bound * v.error) + k * k * v.bound * w.bound;
    return { x: S.matmul(v.x, S.mT(rows)), bound: k * v.bound * w.bound, error, text: "matmul with a transpose" };
  },
  take: (v, tape, pool) => {
    if (v.x.rank === 0) return undefined;
    const axis = tape.next(v.x.rank);
    const side = v.x.shape[axis];
    const source = pool.findLast((w) => isExact(w) && w.x.rank <= 2 && w.x.size > 0 && w.x.size <= 12);
    if (source === undefined || side === 0 || (v.x.size / side) * source.x.size > largest) return undefined;
    const index = S.remainder(S.cast(source.x, "i32"), side);
    return { ...v, x: S.indexSelect(v.x, axis, index), text: `indexSelect ${axis}` };
  },
  scatter: (v, tape) => {
    if (!isFloat(v) || v.x.rank === 0) return undefined;
    const axis = tape.next(v.x.rank);
    const n = v.x.shape[axis];
    const index = S.remainder(S.iota(v.x.shape, axis), 2);
    const zero = S.zeros(v.x.shape.with(axis, 2), { dtype: v.x.dtype });
    const exact = isExact(v) && n * v.bound <= 2 ** 20;
    const error = exact ? 0 : n * v.error + n * n * v.bound;
    return { x: S.scatterAdd(zero, axis, index, v.x), bound: n * v.bound, error, text: `scatterAdd ${axis}` };
  },
};

/** Movement: same elements, elsewhere. */
export const movementSteps: Readonly<Record<string, Step>> = {
  permute: moved("permute", (x, tape) => {
    const order = x.shape.map((_, i) => i);
    for (let i = order.length - 1; i > 0; i--) {
      const j = tape.next(i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return S.permute(x, order);
  }),
  flatten: moved("flatten", (x, tape) => (tape.next(2) === 0 ? S.flatten(x) : S.unsqueeze(x, tape.next(x.rank + 1)))),
  flip: moved("flip", (x, tape) =>
    S.flip(
      x,
      x.shape.flatMap((_, i) => (tape.next(2) === 1 ? [i] : [])),
    ),
  ),
  slice: moved("slice", (x, tape) =>
    S.slice(
      x,
      x.shape.map((side) =>
        tape.pick([null, { step: 2 }, { step: -1 }, [0, side - 1] as const, { start: 1, step: -2 }]),
      ),
    ),
  ),
  pad: moved("pad", (x, tape) =>
    S.pad(
      x,
      x.shape.map(() => [tape.next(3), tape.next(2)] as const),
    ),
  ),
  broadcast: moved("broadcast", (x, tape) => S.broadcastTo(x, [tape.next(3) + 1, ...x.shape])),
  concat: moved("concat", (x, tape) => (x.rank === 0 ? x : S.concat([x, S.flip(x), x], tape.next(x.rank)))),
  repeat: moved("repeatInterleave", (x, tape) => (x.rank === 0 ? x : S.repeatInterleave(x, 2, tape.next(x.rank)))),
  roll: moved("roll", (x, tape) => (x.rank === 0 ? x : S.roll(x, tape.next(5), tape.next(x.rank)))),
  triangle: moved("tril", (x, tape) => (x.rank < 2 || x.dtype === "bool" ? x : S.tril(x, tape.next(5) - 2))),
};

/** What jumps: only of values that all backends have to the bit (or, for relu and its kind, that have no jump). */
export const jumpingSteps: Readonly<Record<string, Step>> = {
  relu: smooth("relu", S.relu, 1, (b) => b),
  abs: (v) => (v.x.dtype === "bool" ? undefined : { ...v, x: S.abs(v.x), text: "abs" }),
  neg: (v) => (v.x.dtype === "bool" ? undefined : { ...v, x: S.neg(v.x), text: "neg" }),
  maximum: pair("maximum", S.maximum, (a, b) => [Math.max(a.bound, b.bound), Math.max(a.error, b.error)]),
  minimum: pair("minimum", S.minimum, (a, b) => [Math.max(a.bound, b.bound), Math.max(a.error, b.error)]),
  max: (v, tape) => {
    const [axis, count] = someAxis(v, tape);
    return count === 0 ? undefined : { ...v, x: S.max(v.x, axis), text: `max ${axis}` };
  },
  min: (v, tape) => {
    const [axis, count] = someAxis(v, tape);
    return count === 0 ? undefined : { ...v, x: S.min(v.x, axis), text: `min ${axis}` };
  },
  compare: (v, tape, pool) => {
    const w = partner(v, tape, pool.filter(isExact));
    if (!isExact(v) || w === undefined) return undefined;
    const run = tape.pick([S.less, S.lessEqual, S.equal, S.notEqual, S.greater]);
    return { x: run(v.x, w.x), bound: 1, error: 0, text: "comparison" };
  },
  where: (v, tape, pool) => {
    const truth = pool.findLast((w) => w.x.dtype === "bool" && fitsTogether(v, w));
    const other = partner(
      v,
      tape,
      pool.filter((w) => truth !== undefined && fitsTogether(w, truth)),
    );
    if (truth === undefined || other === undefined) return undefined;
    const shape = S.broadcastShapes("where", truth.x.shape, v.x.shape, other.x.shape);
    if (S.sizeOf(shape) > largest) return undefined;
    const bound = Math.max(v.bound, other.bound);
    return { x: S.where(truth.x, v.x, other.x), bound, error: Math.max(v.error, other.error), text: "where" };
  },
  halve: (v) => (isFloat(v) && isExact(v) ? { ...v, x: S.floor(S.mul(v.x, 0.5)), text: "floor(x / 2)" } : undefined),
  integer: (v) =>
    isFloat(v) && isExact(v)
      ? { ...v, x: S.cast(S.remainder(S.cast(v.x, "i32"), 5), v.x.dtype), bound: 5, text: "i32 remainder" }
      : undefined,
  count: (v, _tape, [first]) =>
    v.x.dtype === "bool"
      ? { x: S.cast(S.sum(v.x), first.x.dtype), bound: largest, error: 0, text: "count" }
      : undefined,
  argmax: (v, tape, [first]) => {
    if (!isExact(v) || v.x.rank === 0 || v.x.dtype === "bool") return undefined;
    const axis = tape.next(v.x.rank);
    if (v.x.shape[axis] === 0) return undefined;
    return { x: S.cast(S.argmax(v.x, axis), first.x.dtype), bound: largest, error: 0, text: `argmax ${axis}` };
  },
  sort: (v, tape) => {
    if (!isExact(v) || v.x.rank === 0 || v.x.dtype === "bool") return undefined;
    const descending = tape.next(2) === 1;
    return { ...v, x: S.sort(v.x, tape.next(v.x.rank), { descending }).values, text: "sort" };
  },
};
