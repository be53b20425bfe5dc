// Making tensors from numbers. What is made outside compile() is a leaf: it can require gradients and be assigned to.

import { checkDType, type DType, type HostArray, hostArray, roundTo } from "../dtype.ts";
import { ArgumentError, ShapeError } from "../errors.ts";
import { Storage } from "../graph/storage.ts";
import { operation } from "../operation.ts";
import { currentTrace } from "../runtime/trace.ts";
import { checkShape, formatShape, resolveAxis, type Shape, sizeOf } from "../shape.ts";
import { leafTensor, type Tensor } from "../tensor.ts";
import { filled, positions } from "./operand.ts";

/** Arrays of numbers (or booleans) in arrays, all of one length at each depth. */
export type NestedData = number | boolean | readonly NestedData[];

export type NumberArray = HostArray | Int8Array | Uint8ClampedArray | Int16Array | Uint16Array | Uint32Array;

export interface CreateOptions {
  /** Default f32. */
  readonly dtype?: DType;
  /** Whether `backward` fills the tensor's `grad`; floats only. */
  readonly requiresGrad?: boolean;
}

export interface TensorOptions extends CreateOptions {
  /** Shape of flat data (row-major); the sizes must agree. */
  readonly shape?: Shape;
}

/**
 * A tensor of a number, nested arrays or a typed array (copied). Without `dtype`: numbers in arrays are f32 (whole
 * numbers too, unlike PyTorch), booleans are bool, Float32Array is f32, Float64Array f64 and integer arrays i32.
 * Throws a ShapeError for ragged arrays, an ArgumentError for elements that are not numbers.
 */
export const tensor = operation("tensor", (data: NestedData | NumberArray, options: TensorOptions = {}): Tensor => {
  const flat = ArrayBuffer.isView(data)
    ? { values: data, shape: [data.length], dtype: options.dtype ?? dtypeOfArray(data) }
    : flatten(data, options.dtype);
  checkDType("tensor", flat.dtype);
  const shape = checkShape("tensor", options.shape ?? flat.shape);
  if (sizeOf(shape) !== flat.values.length) {
    throw new ShapeError("tensor", `${flat.values.length} values do not fill shape ${formatShape(shape)}`);
  }
  const host = hostArray(flat.dtype, flat.values.length);
  for (let i = 0; i < host.length; i++) host[i] = roundTo(flat.dtype, flat.values[i]);
  return leafTensor(new Storage(flat.dtype, host.length, host), shape, options.requiresGrad);
});

function dtypeOfArray(data: NumberArray): DType {
  if (data instanceof Float32Array) return "f32";
  if (data instanceof Float64Array) return "f64";
  if (data instanceof Uint32Array) {
    throw new ArgumentError("tensor", "a Uint32Array does not fit i32; say which dtype you want");
  }
  return "i32";
}

function flatten(data: NestedData, dtype: DType | undefined) {
  const shape: number[] = [];
  for (let level: NestedData = data; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  const values: number[] = [];
  let bools = true;
  const visit = (item: NestedData, path: readonly number[]): void => {
    const depth = path.length;
    const where = path.length === 0 ? "the data" : `element [${path.join(", ")}]`;
    if (Array.isArray(item)) {
      if (depth >= shape.length || item.length !== shape[depth]) {
        const expected = depth >= shape.length ? "a number" : `${shape[depth]} elements`;
        throw new ShapeError("tensor", `ragged data: ${where} has ${item.length} elements, expected ${expected}`);
      }
      item.forEach((inner: NestedData, i) => {
        visit(inner, [...path, i]);
      });
      return;
    }
    if (typeof item !== "number" && typeof item !== "boolean") {
      throw new ArgumentError("tensor", `${where} is neither a number nor a boolean: ${String(item)}`);
    }
    if (depth !== shape.length) {
      throw new ShapeError("tensor", `ragged data: ${where} is ${item}, expected ${shape[depth]} elements`);
    }
    bools &&= typeof item === "boolean";
    values.push(Number(item));
  };
  visit(data, []);
  return { values, shape, dtype: dtype ?? (bools && values.length > 0 ? "bool" : "f32") } as const;
}

/** A leaf whose element i is `value(i)`. */
function generate(op: string, shape: Shape, options: CreateOptions, value: (i: number) => number): Tensor {
  const dtype = options.dtype ?? "f32";
  checkDType(op, dtype);
  const host = hostArray(dtype, sizeOf(checkShape(op, shape)));
  for (let i = 0; i < host.length; i++) host[i] = roundTo(dtype, value(i));
  return leafTensor(new Storage(dtype, host.length, host), shape, options.requiresGrad);
}

/** A tensor of `shape`, all `value`. Inside compile() it is a constant of the program, not a leaf. */
export const full = operation("full", (shape: Shape, value: number | boolean, options: CreateOptions = {}): Tensor => {
  const dtype = options.dtype ?? (typeof value === "boolean" ? "bool" : "f32");
  checkDType("full", dtype);
  checkShape("full", shape);
  if (currentTrace() !== undefined && options.requiresGrad !== true) return filled(shape, dtype, Number(value));
  const host = hostArray(dtype, sizeOf(shape));
  // Fresh memory is zero already, and touching it is what costs.
  if (!Object.is(value, 0)) host.fill(roundTo(dtype, Number(value)));
  return leafTensor(new Storage(dtype, host.length, host), shape, options.requiresGrad);
});

/** A tensor of `shape`, all 0. */
export const zeros = operation("zeros", (shape: Shape, options: CreateOptions = {}): Tensor => full(shape, 0, options));

/** A tensor of `shape`, all 1. */
export const ones = operation("ones", (shape: Shape, options: CreateOptions = {}): Tensor => full(shape, 1, options));

/** A tensor of x's shape and dtype, all `value`. */
export const fullLike = operation(
  "fullLike",
  (x: Tensor, value: number | boolean, options: CreateOptions = {}): Tensor =>
    full(x.shape, value, { dtype: x.dtype, ...options }),
);

/** A tensor of x's shape and dtype, all 0. */
export const zerosLike = operation(
  "zerosLike",
  (x: Tensor, options: CreateOptions = {}): Tensor => fullLike(x, 0, options),
);

/** A tensor of x's shape and dtype, all 1. */
export const onesLike = operation(
  "onesLike",
  (x: Tensor, options: CreateOptions = {}): Tensor => fullLike(x, 1, options),
);

/**
 * start, start + step, ... before stop: [ceil((stop - start) / step)]. `arange(stop)` starts at 0. f32 unless `dtype`
 * says otherwise (indices are i32: `arange(n, { dtype: "i32" })`).
 */
export function arange(stop: number, options?: CreateOptions): Tensor;
export function arange(start: number, stop: number, options?: CreateOptions): Tensor;
export function arange(start: number, stop: number, step: number, options?: CreateOptions): Tensor;
export function arange(...args: (number | CreateOptions | undefined)[]): Tensor {
  const numbers = args.filter((arg) => typeof arg === "number");
  const options = args.find((arg) => typeof arg === "object") ?? {};
  const [start, stop, step] = numbers.length === 1 ? [0, numbers[0], 1] : [numbers[0], numbers[1], numbers[2] ?? 1];
  if (!Number.isFinite(start) || !Number.isFinite(stop) || !Number.isFinite(step) || step === 0) {
    throw new ArgumentError("arange", `needs finite bounds and a step that is not 0, got ${start}, ${stop}, ${step}`);
  }
  const count = Math.max(0, Math.ceil((stop - start) / step));
  return generate("arange", [count], options, (i) => start + i * step);
}

/** `count` evenly spaced numbers from start to stop, both included: [count]. */
export const linspace = operation(
  "linspace",
  (start: number, stop: number, count: number, options: CreateOptions = {}): Tensor => {
    const last = count - 1;
    // From both ends, so that they are `start` and `stop` to the bit.
    const value = (i: number): number => {
      if (i === 0) return start;
      return i * 2 <= last ? start + ((stop - start) * i) / last : stop - ((stop - start) * (last - i)) / last;
    };
    return generate("linspace", [count], options, value);
  },
);

/** The identity matrix: [n, m] with 1 on the diagonal; m defaults to n. */
export const eye = operation(
  "eye",
  (n: number, m: number = n, options: CreateOptions = {}): Tensor =>
    generate("eye", [n, m], options, (i) => (Math.floor(i / m) === i % m ? 1 : 0)),
);

/** i32 positions along `axis`, of the given shape. Not a leaf: it costs no memory where it is fused. */
export const iota = operation(
  "iota",
  (shape: Shape, axis = -1): Tensor => positions(checkShape("iota", shape), resolveAxis("iota", axis, shape.length)),
);
