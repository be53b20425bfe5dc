// Operators that move elements: other shapes and orders, parts, and tensors joined.

import { indexSelect, tril, triu } from "../../../ops/indexing.ts";
import { concat } from "../../../ops/joining.ts";
import { broadcastTo, permute, reshape, squeeze, tile, unsqueeze } from "../../../ops/movement.ts";
import { type AxisSlice, pad, slice, split } from "../../../ops/slicing.ts";
import { broadcastShapes, resolveAxes, resolveAxis, sizeOf } from "../../../shape.ts";
import type { Row } from "../call.ts";
import { elementType } from "../element-types.ts";
import { hostValue } from "../values.ts";
import { indexOf, moved } from "./kinds.ts";

const reshapeRow = moved(async (x, call) => {
  const to = call.opset < 5 ? call.needed(call.ints("shape"), "attribute shape") : await call.integers(1);
  const zeros = call.flag("allowzero");
  // 0 keeps the side at that place.
  return reshape(
    x,
    to.map((side, i) => (side === 0 && !zeros ? x.shape[i] : side)),
  );
});

const flatten = moved((x, call) => {
  const axis = call.int("axis", 1);
  const at = axis < 0 ? axis + x.rank : axis;
  return reshape(x, [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at))]);
});

const squeezeRow = moved(async (x, call) => squeeze(x, await call.axes(1, 13)));

const unsqueezeRow = moved(async (x, call) => {
  const axes = call.needed(await call.axes(1, 13), "the axes");
  const at = resolveAxes(call.where, axes, x.rank + axes.length);
  return at.reduce((value, axis) => unsqueeze(value, axis), x);
});

const transpose = moved((x, call) => permute(x, call.ints("perm") ?? x.shape.map((_, i) => x.rank - 1 - i)));

const expand = moved(async (x, call) => {
  const shape = await call.integers(1);
  return broadcastTo(x, broadcastShapes(call.where, x.shape, shape));
});

const tileRow = moved(async (x, call) => {
  if (call.opset >= 6) return tile(x, await call.integers(1));
  const [tiles, axis] = [await call.scalar(1), await call.scalar(2)];
  return tile(
    x,
    x.shape.map((_, i) => (i === axis ? tiles : 1)),
  );
});

const concatRow: Row = (call) => {
  const values = call.rest();
  const axis = call.opset < 4 ? call.int("axis", 1) : call.needed(call.int("axis"), "attribute axis");
  return call.kept(
    0,
    concat(
      values.map((value) => value.tensor),
      axis,
    ),
  );
};

const splitRow: Row = async (call) => {
  const x = call.tensor(0);
  const axis = call.axis("axis", 0, x.rank);
  const count = call.int("num_outputs", call.outputs);
  const sizes = (await call.axes(1, 13, "split")) ?? evenSizes(x.shape[axis], count);
  return split(x, sizes, axis).map((piece) => call.kept(0, piece));
};

/** Equal sizes, but that the last may be smaller. */
function evenSizes(side: number, count: number): number[] {
  const size = Math.ceil(side / count);
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(size, side - i * size)));
}

const sliceRow = moved(async (x, call) => {
  const old = call.opset < 10;
  const starts = old ? call.needed(call.ints("starts"), "attribute starts") : await call.integers(1);
  const stops = old ? call.needed(call.ints("ends"), "attribute ends") : await call.integers(2);
  const axes = old ? call.ints("axes") : call.optional(3) && (await call.integers(3));
  const steps = old || call.optional(4) === undefined ? starts.map(() => 1) : await call.integers(4);
  const ranges = x.shape.map((): AxisSlice => null);
  (axes ?? starts.map((_, i) => i)).forEach((axis, i) => {
    ranges[resolveAxis(call.where, axis, x.shape)] = { start: starts[i], stop: stops[i], step: steps[i] };
  });
  return slice(x, ranges);
});

/** [N, C, H, W] with blocks of channels spread over b x b places: depth, column and row order of the blocks differ. */
const depthToSpace = moved((x, call) => {
  const b = call.needed(call.int("blocksize"), "attribute blocksize");
  const mode = call.choice("mode", ["DCR", "CRD"], "DCR");
  const [n, c, h, w] = x.shape;
  const depth = c / (b * b);
  if (mode === "DCR")
    return reshape(permute(reshape(x, [n, b, b, depth, h, w]), [0, 3, 4, 1, 5, 2]), [n, depth, h * b, w * b]);
  return reshape(permute(reshape(x, [n, depth, b, b, h, w]), [0, 1, 4, 2, 5, 3]), [n, depth, h * b, w * b]);
});

const spaceToDepth = moved((x, call) => {
  const b = call.needed(call.int("blocksize"), "attribute blocksize");
  const mode = call.choice("mode", ["DCR", "CRD"], "DCR");
  const [n, c, h, w] = x.shape;
  const blocks = reshape(x, [n, c, h / b, b, w / b, b]);
  const order = mode === "DCR" ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4];
  return reshape(permute(blocks, order), [n, c * b * b, h / b, w / b]);
});

const shapeRow: Row = (call) => {
  const { shape } = call.input(0);
  const [start, end] = [call.int("start"), call.int("end")];
  const part = shape.slice(start ?? 0, end ?? shape.length);
  return hostValue(elementType("int64"), [part.length], part);
};

const size: Row = (call) => hostValue(elementType("int64"), [], [sizeOf(call.input(0).shape)]);

const trilu = moved(async (x, call) => {
  const diagonal = call.optional(1) === undefined ? 0 : await call.scalar(1);
  return call.flag("upper", true) ? triu(x, diagonal) : tril(x, diagonal);
});

/** The first lengths[b] elements of each row reversed in time, the rest as they are. */
const reverseSequence = moved(async (x, call) => {
  const lengths = await call.integers(1);
  const [time, batch] = [call.int("time_axis", 0), call.int("batch_axis", 1)];
  const rows = lengths.map((length, b) => {
    const row = slice(
      x,
      x.shape.map((_, i) => (i === batch ? ([b, b + 1] as const) : null)),
    );
    const order = Array.from({ length: x.shape[time] }, (_, i) => (i < length ? length - 1 - i : i));
    return indexSelect(row, time, indexOf(order));
  });
  return concat(rows, batch);
});

/** Cut or padded with zeros around the middle; of an odd difference the greater half comes after. */
const centerCropPad = moved(async (x, call) => {
  const shape = await call.integers(1);
  const axes = call
    .ints(
      "axes",
      x.shape.map((_, i) => i),
    )
    .map((axis) => resolveAxis(call.where, axis, x.shape));
  const widths = x.shape.map((): [number, number] => [0, 0]);
  axes.forEach((axis, i) => {
    const more = shape[i] - x.shape[axis];
    const before = Math.sign(more) * Math.floor(Math.abs(more) / 2);
    widths[axis] = [before, more - before];
  });
  return pad(x, widths);
});

const identity: Row = (call) => call.input(0);

export const movement: Readonly<Record<string, Row>> = {
  CenterCropPad: centerCropPad,
  Concat: concatRow,
  DepthToSpace: depthToSpace,
  Expand: expand,
  Flatten: flatten,
  Identity: identity,
  Reshape: reshapeRow,
  ReverseSequence: reverseSequence,
  Shape: shapeRow,
  Size: size,
  Slice: sliceRow,
  SpaceToDepth: spaceToDepth,
  Split: splitRow,
  Squeeze: squeezeRow,
  Tile: tileRow,
  Transpose: transpose,
  Trilu: trilu,
  Unsqueeze: unsqueezeRow,
};
