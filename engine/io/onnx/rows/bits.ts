// Operators on bit patterns, and casts between element types. The engine has no bit operations: these run on the host.

import { cast, trunc } from "../../../ops/elementwise.ts";
import { broadcastTo } from "../../../ops/movement.ts";
import { broadcastShapes, sizeOf } from "../../../shape.ts";
import type { Call, Output, Row } from "../call.ts";
import { type ElementType, elementType, isWide } from "../element-types.ts";
import { bitsOfMini, miniFromBits, roundToMini, saturateToMini } from "../mini-floats.ts";
import { hostValue, integerValue, settle, type Value } from "../values.ts";

/** Both inputs as integers of any size, broadcast to one shape. */
async function pairs(call: Call): Promise<{ shape: number[]; a: readonly bigint[]; b: readonly bigint[] }> {
  const [x, y] = [call.input(0), call.input(1)];
  const shape = broadcastShapes(call.where, x.shape, y.shape);
  const spread = async (value: Value): Promise<readonly bigint[]> => {
    const places = await broadcastTo(positionsOf(value.shape), shape).data();
    const integers = await value.bigints();
    return Array.from(places, (place) => integers[place]);
  };
  return { shape, a: await spread(x), b: await spread(y) };
}

const positionsOf = (shape: readonly number[]) =>
  hostValue(
    elementType("int32"),
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => i),
  ).tensor;

/** The integer whose low bits these are. */
const fromBits = (type: ElementType, bits: bigint): bigint =>
  type.signed ? BigInt.asIntN(type.bits, bits) : BigInt.asUintN(type.bits, bits);

const bitwise =
  (fn: (a: bigint, b: bigint) => bigint): Row =>
  async (call) => {
    const { type } = call.input(0);
    const { shape, a, b } = await pairs(call);
    return integerValue(
      type,
      shape,
      a.map((x, i) => fromBits(type, fn(x, b[i]))),
    );
  };

/** Amounts below 0 or beyond the width leave what the sign alone fills in. */
const shift: Row = (call) => {
  const { bits } = call.input(0).type;
  call.needed(call.string("direction"), "attribute direction");
  const width = BigInt(bits);
  const inside = (by: bigint): boolean => by >= 0n && by < width;
  const left = (a: bigint, by: bigint): bigint => (inside(by) ? a << by : 0n);
  const right = (a: bigint, by: bigint): bigint => a >> (inside(by) ? by : width);
  return bitwise(call.choice("direction", ["LEFT", "RIGHT"], "RIGHT") === "LEFT" ? left : right)(call);
};

const not: Row = async (call) => {
  const { type, shape } = call.input(0);
  const integers = await call.input(0).bigints();
  return integerValue(
    type,
    shape,
    integers.map((x) => fromBits(type, ~x)),
  );
};

/** Floats to integers drop the fraction; what the target cannot hold is undefined in ONNX, and wraps or fails here. */
async function convert(call: Call, to: ElementType, saturate: boolean, mode: string): Promise<Value> {
  const x = call.input(0);
  if (to === x.type) return x;
  if (to.kind === "integer" && x.type.kind === "integer") {
    const integers = (await x.bigints()).map((value) => fromBits(to, value));
    return integerValue(to, x.shape, integers);
  }
  if (to.kind === "integer") {
    const whole = x.type.kind === "float" ? trunc(x.tensor) : x.tensor;
    return settle(to, cast(whole, isWide(to) ? "f64" : "i32"));
  }
  const { format } = to;
  if (format === undefined || to.bits === 16) return settle(to, cast(x.tensor, to.dtype));
  // Floats of 8 bits and fewer: what is too large becomes the largest, or (saturate = 0) NaN or Inf.
  const numbers = Array.from(await x.numbers());
  if (format.powersOnly)
    return hostValue(
      to,
      x.shape,
      numbers.map((v) => powerOfTwo(v, mode, saturate)),
    );
  const round = saturate || to.bits < 8 ? saturateToMini : roundToMini;
  return hostValue(
    to,
    x.shape,
    numbers.map((v) => (isBeyond(v) && !saturate ? roundToMini(format, v) : round(format, v))),
  );
}

const isBeyond = (value: number): boolean => value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY;

/** float8e8m0: "up" to the next power of two, "down", or "nearest" (halves up). */
function powerOfTwo(value: number, mode: string, saturate: boolean): number {
  const size = Math.abs(value);
  if (Number.isNaN(value) || (size === Number.POSITIVE_INFINITY && !saturate)) return Number.NaN;
  const exact = Math.log2(size);
  const low = Math.floor(exact);
  const exponent = mode === "up" ? Math.ceil(exact) : mode === "down" ? low : size / 2 ** low >= 1.5 ? low + 1 : low;
  if (exponent > 127) return saturate ? 2 ** 127 : Number.NaN;
  return 2 ** Math.max(exponent, -127);
}

const saturating = (call: Call): [boolean, string] => [call.flag("saturate", true), call.string("round_mode", "up")];

const castRow: Row = (call): Output => convert(call, call.needed(call.type("to"), "attribute to"), ...saturating(call));
const castLike: Row = (call): Output => convert(call, call.input(1).type, ...saturating(call));

/** The bits of each element, as an unsigned integer. */
async function bitsOf(value: Value): Promise<bigint[]> {
  const { type } = value;
  if (type.kind !== "float") return (await value.bigints()).map((x) => BigInt.asUintN(type.bits, x));
  const numbers = Array.from(await value.numbers());
  const view = new DataView(new ArrayBuffer(8));
  return numbers.map((x) => {
    if (type.format !== undefined) return BigInt(bitsOfMini(type.format, x));
    if (type.bits === 64) view.setFloat64(0, x);
    else view.setFloat32(0, x);
    return type.bits === 64 ? view.getBigUint64(0) : BigInt(view.getUint32(0));
  });
}

const bitCast: Row = async (call) => {
  const x = call.input(0);
  const to = call.needed(call.type("to"), "attribute to");
  if (to.bits !== x.type.bits) return call.unsupported(`a cast of the bits of ${x.type.name} to ${to.name}`);
  const bits = await bitsOf(x);
  if (to.kind === "integer")
    return integerValue(
      to,
      x.shape,
      bits.map((pattern) => fromBits(to, pattern)),
    );
  if (to.kind === "bool")
    return hostValue(
      to,
      x.shape,
      bits.map((pattern) => (pattern === 0n ? 0 : 1)),
    );
  const { format } = to;
  if (format !== undefined)
    return hostValue(
      to,
      x.shape,
      bits.map((pattern) => miniFromBits(format, Number(pattern))),
    );
  const view = new DataView(new ArrayBuffer(8));
  const read = (pattern: bigint): number => {
    if (to.bits === 64) view.setBigUint64(0, pattern);
    else view.setUint32(0, Number(pattern));
    return to.bits === 64 ? view.getFloat64(0) : view.getFloat32(0);
  };
  return hostValue(to, x.shape, bits.map(read));
};

export const bits: Readonly<Record<string, Row>> = {
  BitCast: bitCast,
  BitShift: shift,
  BitwiseAnd: bitwise((a, b) => a & b),
  BitwiseNot: not,
  BitwiseOr: bitwise((a, b) => a | b),
  BitwiseXor: bitwise((a, b) => a ^ b),
  Cast: castRow,
  CastLike: castLike,
};
