// What flows along the edges of an ONNX graph: a tensor of the engine and the ONNX type it stands for.

import { type HostArray, hostArray } from "../../dtype.ts";
import { tensor } from "../../ops/create.ts";
import { cast } from "../../ops/elementwise.ts";
import { formatShape, type Shape } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { type ElementType, isNative, isWide, storeAs } from "./element-types.ts";
import { UnsupportedOnnxError } from "./errors.ts";

const least = -(2 ** 31);
const most = 2 ** 31 - 1;

/**
 * A value of a graph. Integers are carried in i32; 64-bit and uint32 ones are checked to fit when they come in and when
 * they are computed, so that nothing wraps around unseen.
 */
export class Value {
  readonly type: ElementType;
  readonly shape: Shape;
  #tensor: Tensor | undefined;
  /** Integers from a file, some of which may not fit i32 (INT64_MAX as "to the end"). */
  readonly #wide: readonly bigint[] | undefined;

  constructor(type: ElementType, content: Tensor | { readonly shape: Shape; readonly wide: readonly bigint[] }) {
    this.type = type;
    this.shape = content.shape;
    if ("wide" in content) this.#wide = content.wide;
    else this.#tensor = content;
  }

  get rank(): number {
    return this.shape.length;
  }

  /** The elements, in the dtype that carries the type. @throws UnsupportedOnnxError for integers that do not fit i32 */
  get tensor(): Tensor {
    this.#tensor ??= intoInt32(this.type, this.shape, (this.#wide as readonly bigint[]).map(Number));
    return this.#tensor;
  }

  /** For arithmetic: wide integers as f64, which holds all sums and products that can end in i32; others as they are. */
  get exact(): Tensor {
    return isWide(this.type) ? cast(this.tensor, "f64") : this.tensor;
  }

  /** The elements on the host; integers beyond i32 are given as the nearest number. */
  async numbers(): Promise<ArrayLike<number>> {
    return this.#wide?.map(Number) ?? (await this.tensor.data());
  }

  /** The elements as integers of any size. */
  async bigints(): Promise<readonly bigint[]> {
    return this.#wide ?? Array.from(await this.tensor.data(), BigInt);
  }

  describe(): string {
    return `${this.type.name} ${formatShape(this.shape)}`;
  }
}

function intoInt32(type: ElementType, shape: Shape, numbers: ArrayLike<number>): Tensor {
  const values = new Int32Array(numbers.length);
  for (let i = 0; i < values.length; i++) {
    const value = numbers[i];
    if (!(value >= least && value <= most)) {
      throw new UnsupportedOnnxError(
        "onnx",
        `element ${i} of a ${type.name} tensor ${formatShape(shape)} is ${value}; integers are carried in i32, which it does not fit`,
      );
    }
    values[i] = value;
  }
  return tensor(values, { shape, dtype: "i32" });
}

/** Integers of any size: kept as they are where some do not fit. */
export function integerValue(type: ElementType, shape: Shape, integers: readonly bigint[]): Value {
  const fits = integers.every((x) => x >= least && x <= most);
  if (!fits) return new Value(type, { shape, wide: integers });
  return new Value(type, tensor(Int32Array.from(integers, Number), { shape, dtype: "i32" }));
}

/** Numbers that are elements of this type already. */
export function hostValue(type: ElementType, shape: Shape, numbers: ArrayLike<number>): Value {
  // The engine's tensor() copies a typed array itself; anything else becomes one first.
  const typed = numbers instanceof Float32Array || numbers instanceof Float64Array || numbers instanceof Int32Array;
  const host: HostArray = typed ? numbers : hostArray(type.dtype, numbers.length);
  if (!typed) host.set(Array.from(numbers));
  return new Value(type, tensor(host, { shape, dtype: type.dtype }));
}

/**
 * A computed tensor as a value of a type: floats of 16 bits and fewer are rounded, small integers wrapped, wide integers
 * checked. A tensor that is carried as the type's dtype already and is `kept` (moved or chosen from a value of the type)
 * needs none of that.
 */
export async function settle(type: ElementType, result: Tensor, kept = false): Promise<Value> {
  if (isNative(type) || (kept && result.dtype === type.dtype)) return new Value(type, cast(result, type.dtype));
  if (isWide(type) && result.dtype !== "f64" && result.dtype !== "f32") return new Value(type, cast(result, "i32"));
  const data = await result.data();
  if (isWide(type)) return new Value(type, intoInt32(type, result.shape, data));
  const stored = hostArray(type.dtype, data.length);
  for (let i = 0; i < data.length; i++) stored[i] = storeAs(type, data[i]);
  return new Value(type, tensor(stored, { shape: result.shape, dtype: type.dtype }));
}
