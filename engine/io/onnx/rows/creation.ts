// Tensors from attributes and shapes: constants, ranges, identity matrices, windows.

import { arange, eye, tensor } from "../../../ops/create.ts";
import { add, cast, cos, equal, less, mul, sub, where } from "../../../ops/elementwise.ts";
import { broadcastTo, reshape, unsqueeze } from "../../../ops/movement.ts";
import { positions } from "../../../ops/operand.ts";
import { select } from "../../../ops/slicing.ts";
import { resolveAxis } from "../../../shape.ts";
import type { Row } from "../call.ts";
import { elementType } from "../element-types.ts";
import { hostValue, integerValue, type Value } from "../values.ts";

const constant: Row = (call) => {
  const whole = (values: readonly number[], shape: number[]): Value =>
    integerValue(elementType("int64"), shape, values.map(BigInt));
  const real = (values: readonly number[], shape: number[]): Value => hostValue(elementType("float"), shape, values);
  const [value, int, ints] = [call.constant("value"), call.int("value_int"), call.ints("value_ints")];
  const [float, floats] = [call.float("value_float"), call.floats("value_floats")];
  if (value !== undefined) return value;
  if (int !== undefined) return whole([int], []);
  if (ints !== undefined) return whole(ints, [ints.length]);
  if (float !== undefined) return real([float], []);
  if (floats !== undefined) return real(floats, [floats.length]);
  return call.unsupported("a constant that is neither a tensor nor numbers");
};

const constantOfShape: Row = async (call) => {
  const shape = await call.integers(0);
  const value = call.constant("value") ?? hostValue(elementType("float"), [1], [0]);
  return call.kept(value.type, broadcastTo(reshape(value.tensor, []), shape));
};

const range: Row = async (call) => {
  const { type } = call.input(0);
  const [start, limit, delta] = [await call.scalar(0), await call.scalar(1), await call.scalar(2)];
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  // Small floats step in their own precision: each element is rounded from start + i * delta.
  return call.as(type, add(mul(arange(count, { dtype: "f64" }), delta), start));
};

const eyeLike: Row = (call) => {
  const x = call.input(0);
  const type = call.type("dtype") ?? x.type;
  const [rows, columns] = x.shape;
  const k = call.int("k", 0);
  if (k === 0) return call.kept(type, eye(rows, columns, { dtype: type.dtype }));
  const hit = equal(positions([rows, columns], 1), add(positions([rows, columns], 0), k));
  return call.kept(type, cast(hit, type.dtype));
};

/** values = [off, on]; an index out of range is off everywhere, a negative one counts from the end. */
const oneHotRow: Row = async (call) => {
  const index = call.tensor(0);
  const depth = await call.scalar(1);
  const values = call.input(2);
  const [off, on] = [0, 1].map((i) => select(values.tensor, 0, i));
  const axis = resolveAxis(call.where, call.int("axis", -1), index.rank + 1);
  const wrapped = where(less(index, 0), add(index, depth), index);
  const shape = [...index.shape.slice(0, axis), depth, ...index.shape.slice(axis)];
  const hit = equal(unsqueeze(wrapped, axis), positions(shape, axis));
  return call.kept(values.type, where(hit, on, off));
};

/** a - b cos(2 pi n / N) + c cos(4 pi n / N): symmetric (N = size - 1) or periodic (N = size). */
const cosineWindow =
  (a: number, b: number, c: number): Row =>
  async (call) => {
    const size = await call.scalar(0);
    const type = call.type("output_datatype") ?? elementType("float");
    const length = call.flag("periodic", true) ? size : size - 1;
    const angle = mul(arange(size, { dtype: "f64" }), (2 * Math.PI) / length);
    const value = sub(a, mul(cos(angle), b));
    return call.as(type, c === 0 ? value : add(value, mul(cos(mul(angle, 2)), c)));
  };

/** Triangles of equal width on the mel scale, over the bins of a spectrum. */
const melWeights: Row = async (call) => {
  const [bins, dft, rate] = [await call.scalar(0), await call.scalar(1), await call.scalar(2)];
  const [low, high] = [await call.scalar(3), await call.scalar(4)];
  const type = call.type("output_datatype") ?? elementType("float");
  const rows = Math.floor(dft / 2) + 1;
  const mel = (hertz: number): number => 2595 * Math.log10(1 + hertz / 700);
  const step = (mel(high) - mel(low)) / (bins + 2);
  const edges = Array.from({ length: bins + 2 }, (_, i) => {
    const hertz = 700 * (10 ** ((mel(low) + i * step) / 2595) - 1);
    return Math.floor(((dft + 1) * hertz) / rate);
  });
  const weight = (row: number, bin: number): number => {
    const [from, middle, to] = edges.slice(bin, bin + 3);
    if (middle === from && row === middle) return 1;
    if (row >= from && row <= middle && middle > from) return (row - from) / (middle - from);
    return row >= middle && row < to ? (to - row) / (to - middle) : 0;
  };
  const values = Array.from({ length: rows * bins }, (_, i) => weight(Math.floor(i / bins), i % bins));
  return call.as(type, reshape(tensor(values, { dtype: "f64" }), [rows, bins]));
};

export const creation: Readonly<Record<string, Row>> = {
  BlackmanWindow: cosineWindow(0.42, 0.5, 0.08),
  Constant: constant,
  ConstantOfShape: constantOfShape,
  EyeLike: eyeLike,
  HammingWindow: cosineWindow(25 / 46, 21 / 46, 0),
  HannWindow: cosineWindow(0.5, 0.5, 0),
  MelWeightMatrix: melWeights,
  OneHot: oneHotRow,
  Range: range,
};
