// Elements written by number: scatters with every reduction of ONNX.

import { tensor } from "../../../ops/create.ts";
import { maximum, minimum, mul, where } from "../../../ops/elementwise.ts";
import { indexSelect, scatterAdd } from "../../../ops/indexing.ts";
import { broadcastTo, flatten, reshape } from "../../../ops/movement.ts";
import { contiguousStrides, resolveAxis, sizeOf } from "../../../shape.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Row } from "../call.ts";
import { flatPlaces } from "./indexing.ts";
import { indexOf } from "./kinds.ts";

const reductions = ["none", "add", "mul", "max", "min"] as const;
type Reduction = (typeof reductions)[number];

const combine: Readonly<Record<Exclude<Reduction, "none" | "add">, (x: Tensor, y: Tensor) => Tensor>> = {
  mul,
  max: maximum,
  min: minimum,
};

/**
 * x [rows, rest] with updates [n, rest] reduced into the rows `places` names. The engine adds; the other reductions run
 * in rounds in which no row is met twice, so that each is a gather, an operation and a write.
 */
function scatterRows(x: Tensor, places: readonly number[], updates: Tensor, reduction: Reduction): Tensor {
  if (reduction === "add") return addRows(x, places, updates);
  return roundsOf(places).reduce((value, round) => {
    const targets = round.map((i) => places[i]);
    const chosen = indexSelect(updates, 0, indexOf(round));
    const fresh = reduction === "none" ? chosen : combine[reduction](indexSelect(value, 0, indexOf(targets)), chosen);
    // Row r of the result is fresh[source[r]] where it was written, value[r] elsewhere.
    const source = new Array<number>(value.shape[0]).fill(-1);
    targets.forEach((target, i) => {
      source[target] = i;
    });
    const from = indexOf(source.map((i) => Math.max(i, 0)));
    const column = [source.length, ...x.shape.slice(1).map(() => 1)];
    const written = tensor(
      Uint8Array.from(source, (i) => Number(i >= 0)),
      { shape: column, dtype: "bool" },
    );
    return where(written, indexSelect(fresh, 0, from), value);
  }, x);
}

function addRows(x: Tensor, places: readonly number[], updates: Tensor): Tensor {
  const width = sizeOf(x.shape.slice(1));
  const flat = reshape(x, [x.shape[0], width]);
  const index = broadcastTo(reshape(indexOf(places), [places.length, 1]), [places.length, width]);
  return reshape(scatterAdd(flat, 0, index, reshape(updates, [places.length, width])), x.shape);
}

/** The updates in rounds, each round meeting a row once; later updates of a row come in later rounds. */
function roundsOf(places: readonly number[]): number[][] {
  const met = new Map<number, number>();
  const rounds: number[][] = [];
  places.forEach((place, i) => {
    const round = met.get(place) ?? 0;
    met.set(place, round + 1);
    (rounds[round] ??= []).push(i);
  });
  return rounds;
}

const scatterElements: Row = async (call) => {
  const [x, index, updates] = [call.input(0), call.input(1), call.input(2)];
  const reduction = call.choice("reduction", reductions, "none");
  const axis = call.axis("axis", 0, x.rank);
  const numbers = await index.numbers();
  const [from, to] = [contiguousStrides(index.shape), contiguousStrides(x.shape)];
  const places = Array.from(numbers, (number, i) =>
    to.reduce((place, stride, j) => {
      const at =
        j === axis ? resolveAxis(call.where, number, x.shape[axis], "index") : Math.floor(i / from[j]) % index.shape[j];
      return place + at * stride;
    }, 0),
  );
  const result = scatterRows(flatten(x.exact), places, flatten(updates.exact), reduction);
  return call.as(0, reshape(result, x.shape));
};

const scatterND: Row = async (call) => {
  const [x, index, updates] = [call.input(0), call.input(1), call.input(2)];
  const reduction = call.choice("reduction", reductions, "none");
  const k = index.shape[index.rank - 1];
  const places = await flatPlaces(call, index, x.shape.slice(0, k));
  const rest = x.shape.slice(k);
  const table = reshape(x.exact, [sizeOf(x.shape.slice(0, k)), ...rest]);
  const rows = reshape(updates.exact, [places.length, ...rest]);
  return call.as(0, reshape(scatterRows(table, places, rows, reduction), x.shape));
};

/** A cache with new elements written from a place of its own for each sample on. */
const tensorScatter: Row = async (call) => {
  const [past, update] = [call.input(0), call.input(1)];
  const axis = call.axis("axis", -2, past.rank);
  const circular = call.choice("mode", ["linear", "circular"], "linear") === "circular";
  const [batch, side, steps] = [past.shape[0], past.shape[axis], update.shape[axis]];
  const starts = call.optional(2) === undefined ? new Array<number>(batch).fill(0) : await call.integers(2);
  const prefix = sizeOf(past.shape.slice(0, axis));
  const rest = past.shape.slice(axis + 1);
  const places = Array.from({ length: prefix * steps }, (_, i) => {
    const row = Math.floor(i / steps);
    const at = starts[Math.floor(row / (prefix / batch))] + (i % steps);
    return row * side + (circular ? at % side : resolveAxis(call.where, at, side, "index"));
  });
  const table = reshape(past.tensor, [prefix * side, ...rest]);
  const rows = reshape(update.tensor, [prefix * steps, ...rest]);
  return call.kept(0, reshape(scatterRows(table, places, rows, "none"), past.shape));
};

export const scattering: Readonly<Record<string, Row>> = {
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  TensorScatter: tensorScatter,
};
