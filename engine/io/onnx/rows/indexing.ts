// Elements read by number: gathers, the largest, what is not zero, what is not a repeat.

import { add, less, where } from "../../../ops/elementwise.ts";
import { gather, indexSelect } from "../../../ops/indexing.ts";
import { flatten, reshape } from "../../../ops/movement.ts";
import { topk } from "../../../ops/sorting.ts";
import { contiguousStrides, resolveAxis, type Shape, sizeOf } from "../../../shape.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call, Output, Row } from "../call.ts";
import { elementType } from "../element-types.ts";
import { hostValue, type Value } from "../values.ts";
import { indexOf } from "./kinds.ts";

/** Negative numbers count from the end. */
export const fromEnd = (index: Tensor, side: number): Tensor => where(less(index, 0), add(index, side), index);

const positions64 = (shape: Shape, values: ArrayLike<number>): Value => hostValue(elementType("int64"), shape, values);

const gatherRow: Row = (call) => {
  const x = call.tensor(0);
  const axis = call.axis("axis", 0, x.rank);
  return call.kept(0, indexSelect(x, axis, fromEnd(call.tensor(1), x.shape[axis])));
};

const gatherElements: Row = (call) => {
  const x = call.tensor(0);
  const axis = call.axis("axis", 0, x.rank);
  return call.kept(0, gather(x, axis, fromEnd(call.tensor(1), x.shape[axis])));
};

/** Places in x, flattened to [rows, rest], of index vectors [..., k]. */
export async function flatPlaces(call: Call, index: Value, sides: Shape): Promise<number[]> {
  const values = await index.numbers();
  const k = index.shape[index.rank - 1];
  const strides = contiguousStrides(sides);
  return Array.from({ length: values.length / k }, (_, row) => {
    let place = 0;
    for (let j = 0; j < k; j++) {
      const i = resolveAxis(call.where, values[row * k + j], sides[j], "index");
      place += i * strides[j];
    }
    return place;
  });
}

const gatherND: Row = async (call) => {
  const [x, index] = [call.input(0), call.input(1)];
  const batch = call.int("batch_dims", 0);
  const k = index.shape[index.rank - 1];
  const sides = x.shape.slice(batch, batch + k);
  const places = await flatPlaces(call, index, sides);
  const perBatch = sizeOf(index.shape.slice(batch, -1));
  const rows = places.map((place, i) => Math.floor(i / Math.max(1, perBatch)) * sizeOf(sides) + place);
  const rest = x.shape.slice(batch + k);
  const table = reshape(x.tensor, [sizeOf(x.shape.slice(0, batch + k)), ...rest]);
  return call.kept(0, reshape(indexSelect(table, 0, indexOf(rows)), [...index.shape.slice(0, -1), ...rest]));
};

/** k is an attribute before opset 10. */
const topK: Row = async (call): Promise<Awaited<Output>> => {
  const x = call.tensor(0);
  const k = call.opset < 10 ? call.needed(call.int("k"), "attribute k") : (await call.integers(1))[0];
  const axis = call.axis("axis", -1, x.rank);
  call.flag("sorted", true);
  const { values, indices } = topk(x, k, axis, { largest: call.flag("largest", true) });
  return [call.kept(0, values), call.int64(indices)];
};

const nonZero: Row = async (call) => {
  const x = call.input(0);
  const values = await x.numbers();
  const found = Array.from({ length: values.length }, (_, i) => i).filter((i) => values[i] !== 0);
  const strides = contiguousStrides(x.shape);
  const places = x.shape.flatMap((side, axis) => found.map((i) => Math.floor(i / strides[axis]) % side));
  return positions64([x.rank, found.length], places);
};

const compress: Row = async (call) => {
  const condition = Array.from(await call.input(1).numbers());
  const chosen = indexOf(condition.flatMap((value, i) => (value !== 0 ? [i] : [])));
  const axis = call.int("axis");
  const x = call.tensor(0);
  return call.kept(0, axis === undefined ? indexSelect(flatten(x), 0, chosen) : indexSelect(x, axis, chosen));
};

/** Rows (slices along an axis, or single elements) in order of their elements; equal ones once. */
const unique: Row = async (call): Promise<Awaited<Output>> => {
  const given = call.input(0);
  const axis = call.int("axis");
  const sorted = call.flag("sorted", true);
  const x = axis === undefined ? flatten(given.tensor) : given.tensor;
  const at = resolveAxis(call.where, axis ?? 0, x.shape);
  const values = await x.data();
  const stride = contiguousStrides(x.shape)[at];
  const rowOf = Array.from({ length: x.size }, (_, i) => Math.floor(i / stride) % x.shape[at]);
  const rows: number[][] = Array.from({ length: x.shape[at] }, () => []);
  rowOf.forEach((row, i) => {
    rows[row].push(values[i]);
  });
  const compare = (a: number, b: number): number => {
    const j = rows[a].findIndex((value, i) => value !== rows[b][i]);
    return j < 0 ? a - b : rows[a][j] - rows[b][j];
  };
  const same = (a: number, b: number): boolean => rows[a].every((value, i) => value === rows[b][i]);
  const order = rows.map((_, i) => i).sort(compare);
  // The first of each run of equals: the sort is stable.
  const groups: number[][] = [];
  for (const row of order) {
    const last = groups.at(-1);
    if (last !== undefined && same(last[0], row)) last.push(row);
    else groups.push([row]);
  }
  if (!sorted) groups.sort((a, b) => a[0] - b[0]);
  const inverse = new Array<number>(rows.length);
  groups.forEach((group, i) => {
    for (const row of group) inverse[row] = i;
  });
  const firsts = groups.map((group) => group[0]);
  return [
    call.kept(0, indexSelect(x, at, indexOf(firsts))),
    positions64([firsts.length], firsts),
    positions64([inverse.length], inverse),
    positions64(
      [groups.length],
      groups.map((group) => group.length),
    ),
  ];
};

export const indexing: Readonly<Record<string, Row>> = {
  Compress: compress,
  Gather: gatherRow,
  GatherElements: gatherElements,
  GatherND: gatherND,
  NonZero: nonZero,
  TopK: topK,
  Unique: unique,
};
