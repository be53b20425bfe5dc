// The numbers a Fourier transform multiplies by: roots of unity as matrices and tables, computed in f64 from exact angles.

import { type DType, hostArray } from "../dtype.ts";
import { Storage } from "../graph/storage.ts";
import type { Shape } from "../shape.ts";
import { leafTensor, type Tensor } from "../tensor.ts";

/** Complex numbers as two tensors of one shape. */
export interface Planes {
  readonly re: Tensor;
  readonly im: Tensor;
}

/** -1: e^(-2 pi i jk/n), the forward transform; 1: its inverse. */
export type Sign = -1 | 1;

/** Where pairs (real, imaginary) stand: just before or just after the transformed axis. */
export type Pairs = "before" | "after";
/** How a transform's input lies. */
export type Layout = "real" | Pairs;

/** Tables hold at most this many numbers together; the ones not used for longest are let go (graphs keep their own). */
const mostNumbers = 2 ** 23;

const tables = new Map<string, { readonly tensor: Tensor; readonly length: number }>();
let numbers = 0;

/** A constant of this shape; equal names give one tensor. */
function constant(name: string, dtype: DType, shape: Shape, values: () => Float64Array): Tensor {
  const key = `${dtype} ${name}`;
  const known = tables.get(key);
  if (known !== undefined) {
    tables.delete(key);
    tables.set(key, known);
    return known.tensor;
  }
  const data = values();
  const host = hostArray(dtype, data.length);
  host.set(data);
  const tensor = leafTensor(new Storage(dtype, host.length, host), shape);
  tables.set(key, { tensor, length: host.length });
  numbers += host.length;
  for (const [oldest, { length }] of tables) {
    if (numbers <= mostNumbers || oldest === key) break;
    tables.delete(oldest);
    numbers -= length;
  }
  return tensor;
}

/** e^(sign 2 pi i part/whole) for whole numbers: the angle is reduced before it is rounded. */
function root(part: number, whole: number, sign: Sign): readonly [re: number, im: number] {
  const angle = (2 * Math.PI * (part % whole)) / whole;
  return [Math.cos(angle), sign * Math.sin(angle)];
}

/** The transform as a real matrix [result, input], for k below `kept`: pairs stand as `result` and the layout say. */
export function forwardMatrix(
  dtype: DType,
  n: number,
  kept: number,
  layout: Layout,
  result: Pairs,
  sign: Sign,
  scale: number,
): Tensor {
  const side = layout === "real" ? n : 2 * n;
  return constant(`dft ${n} ${kept} ${layout} ${result} ${sign} ${scale}`, dtype, [2 * kept, side], () => {
    const values = new Float64Array(2 * kept * side);
    for (let k = 0; k < kept; k++) {
      for (let j = 0; j < n; j++) {
        const [re, im] = root(j * k, n, sign).map((part) => part * scale);
        const [at, below] = (result === "after" ? [2 * k, 2 * k + 1] : [k, kept + k]).map((row) => row * side);
        const [x, y] = layout === "after" ? [2 * j, 2 * j + 1] : [j, n + j];
        values[at + x] = re;
        values[below + x] = im;
        if (layout === "real") continue;
        values[at + y] = -im;
        values[below + y] = re;
      }
    }
    return values;
  });
}

/** Half a Hermitian spectrum to real numbers: [n, (k, pair)] or [n, (pair, k)], k up to n/2. */
export function realMatrix(dtype: DType, n: number, layout: Pairs, sign: Sign, scale: number): Tensor {
  const half = Math.floor(n / 2) + 1;
  return constant(`real ${n} ${layout} ${sign} ${scale}`, dtype, [n, 2 * half], () => {
    const values = new Float64Array(n * 2 * half);
    for (let j = 0; j < n; j++) {
      for (let k = 0; k < half; k++) {
        // Each k between stands for its mirror image too; the imaginary parts of the two ends play no part.
        const end = k === 0 || 2 * k === n;
        const [re, im] = root(j * k, n, sign).map((part) => part * scale * (end ? 1 : 2));
        const [x, y] = layout === "after" ? [2 * k, 2 * k + 1] : [k, half + k];
        values[j * 2 * half + x] = re;
        values[j * 2 * half + y] = end ? 0 : -im;
      }
    }
    return values;
  });
}

/** What conjugates pairs: [2, 1]. */
export const conjugation = (dtype: DType): Tensor => constant("conjugate", dtype, [2, 1], () => Float64Array.of(1, -1));

function planes(name: string, dtype: DType, shape: Shape, value: (i: number) => readonly [number, number]): Planes {
  const size = shape.reduce((product, side) => product * side, 1);
  const part = (which: 0 | 1) =>
    constant(`${name} ${which}`, dtype, shape, () => Float64Array.from({ length: size }, (_, i) => value(i)[which]));
  return { re: part(0), im: part(1) };
}

/** Between two steps of a transform of n: e^(sign 2 pi i ab/n) as [rows, 1, columns, 1] for row a and column b. */
export const twiddles = (dtype: DType, n: number, rows: number, columns: number, sign: Sign): Planes =>
  planes(`twiddle ${n} ${rows} ${columns} ${sign}`, dtype, [rows, columns, 1], (i) =>
    root(Math.floor(i / columns) * (i % columns), n, sign),
  );

/** The chirp e^(sign pi i j^2/n), scaled: [n, 1]. */
export const chirp = (dtype: DType, n: number, sign: Sign, scale: number): Planes =>
  planes(`chirp ${n} ${sign} ${scale}`, dtype, [n, 1], (j) => {
    const [re, im] = root((j * j) % (2 * n), 2 * n, sign);
    return [re * scale, im * scale];
  });

/** The opposite chirp for all differences of positions, around a circle of `length`: [1, length], real then imaginary. */
export const mirroredChirp = (dtype: DType, n: number, length: number, sign: Sign): Tensor =>
  constant(`mirror ${n} ${length} ${sign}`, dtype, [1, 2, length, 1], () => {
    const values = new Float64Array(2 * length);
    for (let j = 0; j < n; j++) {
      const [re, im] = root((j * j) % (2 * n), 2 * n, sign === 1 ? -1 : 1);
      for (const at of [j, (length - j) % length]) {
        values[at] = re;
        values[length + at] = im;
      }
    }
    return values;
  });
