// Integers that stand for floats: scale * (q - zero point), per tensor, per slice of an axis, or per block of it.

import { clamp } from "../../../ops/activations.ts";
import { add, cast, div, maximum, minimum, mul, round, sub } from "../../../ops/elementwise.ts";
import { repeatInterleave, reshape } from "../../../ops/movement.ts";
import { max, min } from "../../../ops/reduce.ts";
import { narrow } from "../../../ops/slicing.ts";
import { resolveAxis, type Shape } from "../../../shape.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call, Output, Row } from "../call.ts";
import { type ElementType, elementType } from "../element-types.ts";
import { saturateToMini } from "../mini-floats.ts";
import { hostValue, type Value } from "../values.ts";
import { product } from "./contraction.ts";
import { convolve } from "./convolution.ts";
import { alongChannels } from "./kinds.ts";

/** A scale or zero point, spread so that it broadcasts beside x. */
function spread(call: Call, part: Tensor, shape: Shape): Tensor {
  const [at, block] = [call.int("axis", 1), call.int("block_size", 0)];
  if (part.size === 1) return reshape(part, []);
  const axis = resolveAxis(call.where, at, shape.length);
  if (block === 0)
    return reshape(
      part,
      shape.map((_, i) => (i === axis ? part.size : 1)),
    );
  return narrow(repeatInterleave(part, block, axis), axis, 0, shape[axis]);
}

async function quantizeTo(type: ElementType, x: Tensor, saturate: boolean): Promise<Value> {
  const { format } = type;
  if (format !== undefined) {
    const numbers = Array.from(await x.data(), (v) => (saturate || type.bits < 8 ? saturateToMini(format, v) : v));
    return hostValue(type, x.shape, numbers);
  }
  return hostValue(type, x.shape, await clamp(x, Number(type.least), Number(type.most)).data());
}

const quantize: Row = async (call) => {
  const [x, scale] = [call.input(0), call.tensor(1)];
  const zero = call.optional(2);
  const type = zero?.type ?? call.type("output_dtype") ?? elementType("uint8");
  call.int("output_dtype");
  call.type("precision");
  const value = x.type.kind === "float" ? x.tensor : cast(x.tensor, "f32");
  const scaled = div(value, spread(call, cast(scale, value.dtype), x.shape));
  const saturate = call.flag("saturate", true);
  if (type.kind === "float") return quantizeTo(type, scaled, saturate);
  const shift = zero && spread(call, cast(zero.tensor, value.dtype), x.shape);
  return quantizeTo(type, shift === undefined ? round(scaled) : add(round(scaled), shift), saturate);
};

const dequantize: Row = (call) => {
  const [x, scale] = [call.input(0), call.input(1)];
  const zero = call.maybeTensor(2);
  const type = call.type("output_dtype") ?? scale.type;
  const value = cast(x.tensor, "f32");
  const shifted = zero === undefined ? value : sub(value, spread(call, cast(zero, "f32"), x.shape));
  return call.as(type, mul(shifted, spread(call, scale.tensor, x.shape)));
};

/** uint8 over the range of x, 0 included. */
const dynamicQuantize: Row = async (call): Promise<Awaited<Output>> => {
  const x = call.tensor(0);
  const [low, high] = [minimum(min(x), 0), maximum(max(x), 0)];
  const scale = div(sub(high, low), 255);
  const zero = round(clamp(div(sub(0, low), scale), 0, 255));
  const q = clamp(add(round(div(x, scale)), zero), 0, 255);
  const uint8 = elementType("uint8");
  return [call.as(uint8, q), call.as(0, scale), call.as(uint8, zero)];
};

/** The product of two quantised matrices, quantised. */
const quantizedMatMul: Row = async (call) => {
  const centred = (i: number): Tensor => {
    const zero = call.tensor(i + 2);
    const lifted = zero.rank === 0 || zero.size === 1 ? reshape(zero, []) : zero;
    return sub(call.tensor(i), i === 0 && lifted.rank === 1 ? reshape(lifted, [lifted.size, 1]) : lifted);
  };
  const [scaleA, scaleB, scaleY] = [call.tensor(1), call.tensor(4), call.tensor(6)].map((s) =>
    s.size === 1 ? reshape(s, []) : s,
  );
  const zero = call.input(7);
  const y = div(mul(product(centred(0), centred(3)), cast(mul(scaleA, scaleB), "f64")), cast(scaleY, "f64"));
  return quantizeTo(zero.type, add(round(y), zero.tensor), true);
};

/** One number for all, or one per channel beside a tensor of this rank whose channels are its second axis. */
const perChannel = (part: Tensor, rank: number): Tensor =>
  part.size === 1 ? reshape(part, []) : alongChannels(part, rank);

/** A convolution of quantised x and weights (with a scale per output channel or one for all), quantised. */
const quantizedConv: Row = (call) => {
  const [x, w] = [call.tensor(0), call.tensor(3)];
  const left = sub(x, perChannel(call.tensor(2), x.rank));
  // The output channels are the weight's first axis: the second of one with an axis before it.
  const right = sub(w, perChannel(call.tensor(5), w.rank + 1));
  const total = convolve(call, cast(left, "f64"), cast(right, "f64"), call.maybeTensor(8));
  const scale = mul(cast(call.tensor(1), "f64"), cast(perChannel(call.tensor(4), x.rank), "f64"));
  const zero = call.input(7);
  const y = div(mul(total, scale), cast(call.tensor(6), "f64"));
  return quantizeTo(zero.type, add(round(y), zero.tensor), true);
};

export const quantization: Readonly<Record<string, Row>> = {
  DequantizeLinear: dequantize,
  DynamicQuantizeLinear: dynamicQuantize,
  QLinearConv: quantizedConv,
  QLinearMatMul: quantizedMatMul,
  QuantizeLinear: quantize,
};
