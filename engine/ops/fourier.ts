// Discrete Fourier transforms along the middle axis of [outer, n, inner], composed of matrix products: so every backend
// runs them, and their gradients, of any order, are theirs. A length is split into short factors (Cooley & Tukey 1965,
// with the two inner sums as products); a long prime becomes a convolution with a chirp (Bluestein 1970).

import { checkShape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { add, mul, sub } from "./elementwise.ts";
import {
  chirp,
  conjugation,
  forwardMatrix,
  type Layout,
  mirroredChirp,
  type Pairs,
  type Planes,
  realMatrix,
  type Sign,
  twiddles,
} from "./fourier-tables.ts";
import { concat, stack } from "./joining.ts";
import { matmul } from "./linalg.ts";
import { flip, permute, reshape, transpose } from "./movement.ts";
import { narrow, pad, select } from "./slicing.ts";

/** How a length is transformed: by one matrix, as first times second, or as a convolution of this length. */
type Plan =
  | { readonly kind: "matrix"; readonly n: number; readonly cost: number }
  | { readonly kind: "split"; readonly n: number; readonly cost: number; readonly first: number; readonly second: Plan }
  | { readonly kind: "chirp"; readonly n: number; readonly cost: number; readonly around: Plan };

/** A matrix costs its side, a pass over all numbers (twiddles, a copy) as much as a matrix of this side: measured. */
const costOfPass = 25;
/** No larger matrix is made, so that tables stay in the cache. */
const largestMatrix = 256;
/** Real numbers need half a matrix. Up to this length it is the fastest; instead of a chirp, up to the other one. */
const largestRealMatrix = 128;
const largestRealPrime = 1021;

const plans = new Map<number, Plan>();

function realPlanOf(n: number): Plan {
  const plan = planOf(n);
  const matrix = n <= largestRealMatrix || (plan.kind === "chirp" && n <= largestRealPrime);
  return matrix ? { kind: "matrix", n, cost: n } : plan;
}

function planOf(n: number): Plan {
  const known = plans.get(n);
  if (known !== undefined) return known;
  const plan = [...candidates(n)].reduce((best, next) => (next.cost < best.cost ? next : best));
  plans.set(n, plan);
  return plan;
}

function* candidates(n: number): Generator<Plan> {
  if (n <= largestMatrix) yield { kind: "matrix", n, cost: n };
  let factored = n <= largestMatrix;
  for (let first = 2; first <= largestMatrix && 2 * first <= n; first++) {
    if (n % first !== 0) continue;
    factored = true;
    const second = planOf(n / first);
    yield { kind: "split", n, first, second, cost: first + second.cost + 2 * costOfPass };
  }
  if (factored) return;
  const around = planOf(2 ** Math.ceil(Math.log2(2 * n - 1)));
  yield { kind: "chirp", n, around, cost: ((2 * around.cost + 3 * costOfPass) * around.n) / n };
}

/** Real and imaginary part of pairs along an axis. */
const planesOf = (x: Tensor, axis: number): Planes => ({ re: select(x, axis, 0), im: select(x, axis, 1) });

/** The complex product, as pairs along a new axis. */
export const times = (x: Planes, y: Planes, axis: number): Tensor =>
  stack([sub(mul(x.re, y.re), mul(x.im, y.im)), add(mul(x.re, y.im), mul(x.im, y.re))], axis);

/** A matrix [m, k] from the left on each [k, inner] of [outer, k, inner]. */
function product(matrix: Tensor, x: Tensor): Tensor {
  const [outer, k, inner] = x.shape;
  if (inner !== 1) return matmul(matrix, x);
  return reshape(matmul(reshape(x, [outer, k]), transpose(matrix)), [outer, matrix.shape[0], 1]);
}

/** Pairs just before or after the axis, as one axis. */
const joined = (x: Tensor, layout: Layout): Tensor =>
  layout === "real" ? x : reshape(x, [x.shape[0], x.shape[1] * x.shape[2], x.shape[3]]);

/** Pairs just before the axis. */
const before = (x: Tensor, layout: Layout): Tensor => (layout === "after" ? permute(x, [0, 2, 1, 3]) : x);

/** [outer, n, inner], pairs as the layout says -> [outer, n, 2, inner]. */
export function transformed(x: Tensor, layout: Layout, sign: Sign, scale: number): Tensor {
  const [outer, inner] = [x.shape[0], x.shape[x.rank - 1]];
  const n = x.shape[layout === "before" ? 2 : 1];
  return byPlan(planOf(n), x, layout, sign, scale, outer, inner);
}

function byPlan(
  plan: Plan,
  x: Tensor,
  layout: Layout,
  sign: Sign,
  scale: number,
  outer: number,
  inner: number,
): Tensor {
  const { n } = plan;
  if (plan.kind === "matrix") {
    const matrix = forwardMatrix(x.dtype, n, n, layout, "after", sign, scale);
    return reshape(product(matrix, joined(x, layout)), [outer, n, 2, inner]);
  }
  if (plan.kind === "chirp") return convolved(plan, x, layout, sign, scale);
  const m = plan.second.n;
  const first = firstSums(x, layout, sign, plan.first, plan.first, m);
  const second = secondSums(first, plan, sign, scale);
  return reshape(permute(second, [0, 2, 1, 3, 4]), [outer, n, 2, inner]);
}

/**
 * Of n = first * m elements the sums over those m apart, `kept` of them, and turned by the angles between:
 * [outer, kept, 2, m, inner].
 */
function firstSums(x: Tensor, layout: Layout, sign: Sign, first: number, kept: number, m: number): Tensor {
  const [outer, inner] = [x.shape[0], x.shape[x.rank - 1]];
  const pairs = layout === "real" ? [] : [2];
  const apart = reshape(before(x, layout), [outer, ...pairs, first, m * inner]);
  const from = layout === "real" ? "real" : "before";
  const sums = product(forwardMatrix(x.dtype, first, kept, from, "after", sign, 1), joined(apart, from));
  const turn = twiddles(x.dtype, first * m, kept, m, sign);
  return times(planesOf(reshape(sums, [outer, kept, 2, m, inner]), 2), turn, 2);
}

/** The sums over neighbours: [outer, kept, 2, m, inner] -> [outer, kept, m, 2, inner]. */
function secondSums(x: Tensor, plan: Plan & { kind: "split" }, sign: Sign, scale: number): Tensor {
  const [outer, kept, , m, inner] = x.shape;
  const all = byPlan(plan.second, reshape(x, [outer * kept, 2, m, inner]), "before", sign, scale, outer * kept, inner);
  return reshape(all, [outer, kept, m, 2, inner]);
}

function convolved(plan: Plan & { kind: "chirp" }, x: Tensor, layout: Layout, sign: Sign, scale: number): Tensor {
  const { n, around } = plan;
  // Before tables of such a length are made.
  checkShape("fft", [x.shape[0], 2, around.n, x.shape[x.rank - 1]]);
  const turn = chirp(x.dtype, n, sign, 1);
  const length = around.n;
  const turned =
    layout === "real" ? stack([mul(x, turn.re), mul(x, turn.im)], 1) : times(planesOf(before(x, layout), 1), turn, 1);
  const padded = pad(turned, [
    [0, 0],
    [0, 0],
    [0, length - n],
    [0, 0],
  ]);
  const spectrum = transformed(padded, "before", -1, 1);
  const filter = transformed(mirroredChirp(x.dtype, n, length, sign), "before", -1, 1 / length);
  const filtered = times(planesOf(spectrum, 2), planesOf(filter, 2), 1);
  const sums = narrow(transformed(filtered, "before", 1, 1), 1, 0, n);
  return times(planesOf(sums, 2), chirp(x.dtype, n, sign, scale), 2);
}

const halfOf = (n: number): number => Math.floor(n / 2) + 1;

/** The conjugates of pairs in the second last axis. */
const conjugated = (x: Tensor): Tensor => mul(x, conjugation(x.dtype));

/** Half a spectrum of real numbers: [outer, n, inner] -> [outer, n/2 + 1, 2, inner], or the pairs before the axis. */
export function transformedReal(x: Tensor, pairs: Pairs, sign: Sign, scale: number): Tensor {
  const [outer, n, inner] = x.shape;
  const half = halfOf(n);
  const plan = realPlanOf(n);
  if (plan.kind === "matrix") {
    const all = product(forwardMatrix(x.dtype, n, half, "real", pairs, sign, scale), x);
    return reshape(all, pairs === "after" ? [outer, half, 2, inner] : [outer, 2, half, inner]);
  }
  const spectrum =
    plan.kind === "split" ? halfBySplit(plan, x, sign, scale) : narrow(transformed(x, "real", sign, scale), 1, 0, half);
  return pairs === "after" ? spectrum : before(spectrum, "after");
}

/** The first sums are of real numbers: half of them are the others' mirror images. */
function halfBySplit(plan: Plan & { kind: "split" }, x: Tensor, sign: Sign, scale: number): Tensor {
  const [outer, n, inner] = x.shape;
  const half = halfOf(n);
  const { first } = plan;
  const kept = halfOf(first);
  const second = secondSums(firstSums(x, "real", sign, first, kept, plan.second.n), plan, sign, scale);
  const rows = Math.ceil(half / first);
  const low = narrow(second, 2, 0, rows);
  const mirrored = narrow(flip(narrow(second, 1, 1, first - kept), [1, 2]), 2, 0, rows);
  const whole = first === kept ? low : concat([low, conjugated(mirrored)], 1);
  return narrow(reshape(permute(whole, [0, 2, 1, 3, 4]), [outer, rows * first, 2, inner]), 1, 0, half);
}

/** The other way: the n real numbers of half a spectrum, pairs as the layout says -> [outer, n, inner]. */
export function realOf(x: Tensor, layout: Pairs, n: number, sign: Sign, scale: number): Tensor {
  const [outer, inner] = [x.shape[0], x.shape[3]];
  const plan = realPlanOf(n);
  if (plan.kind === "matrix") return product(realMatrix(x.dtype, n, layout, sign, scale), joined(x, layout));
  const half = layout === "after" ? x : permute(x, [0, 2, 1, 3]);
  const mirrored = flip(narrow(half, 1, 1, n - half.shape[1]), 1);
  const spectrum = concat([half, conjugated(mirrored)], 1);
  if (plan.kind === "chirp") return select(transformed(spectrum, "after", sign, scale), 2, 0);
  // The steps of `halfBySplit` backwards: half of the first sums, the angles between, sums that are real.
  const { first, second } = plan;
  const kept = halfOf(first);
  const apart = narrow(reshape(spectrum, [outer, second.n, first, 2, inner]), 2, 0, kept);
  const lines = reshape(permute(apart, [0, 3, 1, 2, 4]), [outer, 2, second.n, kept * inner]);
  const sums = byPlan(second, lines, "before", sign, 1, outer, kept * inner);
  const parts = planesOf(reshape(sums, [outer, second.n, 2, kept, inner]), 2);
  const turned = times(parts, twiddles(x.dtype, n, second.n, kept, sign), 2);
  const matrix = realMatrix(x.dtype, first, "before", sign, scale);
  const real = product(matrix, reshape(turned, [outer * second.n, 2 * kept, inner]));
  return reshape(permute(reshape(real, [outer, second.n, first, inner]), [0, 2, 1, 3]), [outer, n, inner]);
}
