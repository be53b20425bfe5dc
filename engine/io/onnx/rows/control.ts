// Operators that run graphs: If, Loop and Scan. Bodies run step by step: what they do may depend on values.

import { concat } from "../../../ops/joining.ts";
import { flip, moveAxis, unsqueeze } from "../../../ops/movement.ts";
import { filled } from "../../../ops/operand.ts";
import { select } from "../../../ops/slicing.ts";
import { resolveAxis } from "../../../shape.ts";
import type { Call, Output, Row } from "../call.ts";
import { elementType } from "../element-types.ts";
import type { Graph } from "../graph.ts";
import { hostValue, Value } from "../values.ts";

const branch: Row = async (call): Promise<Awaited<Output>> => {
  const chosen = (await call.scalar(0)) !== 0;
  const [yes, no] = [call.graph("then_branch"), call.graph("else_branch")];
  return call.run(call.needed(chosen ? yes : no, "a branch"), []);
};

/** Values of all steps, stacked along a new axis. */
function stacked(call: Call, graph: Graph, output: number, values: readonly Value[], axis: number): Value {
  const [first] = values;
  if (first !== undefined) {
    const at = resolveAxis(call.where, axis, first.rank + 1);
    return new Value(
      first.type,
      concat(
        values.map((value) => unsqueeze(value.tensor, at)),
        at,
      ),
    );
  }
  const { type, shape } = graph.outputs[output];
  if (type === undefined || shape?.some((side) => typeof side === "string"))
    return call.unsupported("a loop of no steps whose outputs have no known shape");
  return new Value(type, filled([0, ...(shape as number[])], type.dtype, 0));
}

const loop: Row = async (call): Promise<Awaited<Output>> => {
  const body = call.needed(call.graph("body"), "attribute body");
  const limit = call.optional(0) === undefined ? Number.POSITIVE_INFINITY : await call.scalar(0);
  let going = call.optional(1) === undefined || (await call.scalar(1)) !== 0;
  let states = call.rest(2);
  const count = states.length;
  const rows: Value[][] = body.outputs.slice(1 + count).map(() => []);
  for (let i = 0; i < limit && going; i++) {
    const step = hostValue(elementType("int64"), [], [i]);
    const [condition, ...results] = await call.run(body, [step, hostValue(elementType("bool"), [], [1]), ...states]);
    going = (await condition.numbers())[0] !== 0;
    states = results.slice(0, count);
    results.slice(count).forEach((value, k) => {
      rows[k].push(value);
    });
  }
  return [...states, ...rows.map((values, k) => stacked(call, body, 1 + count + k, values, 0))];
};

const scanRow: Row = async (call): Promise<Awaited<Output>> => {
  const body = call.needed(call.graph("body"), "attribute body");
  const sequences = call.needed(call.int("num_scan_inputs"), "attribute num_scan_inputs");
  if (call.opset < 9) return scanOfBatches(call, body, sequences);
  const count = call.count - sequences;
  const [inputAxes, outputAxes] = [call.ints("scan_input_axes"), call.ints("scan_output_axes")];
  const [inputTurns, outputTurns] = [call.ints("scan_input_directions"), call.ints("scan_output_directions")];
  const values = call.rest();
  const xs = values.slice(count).map((value, i) => {
    const axis = resolveAxis(call.where, inputAxes?.[i] ?? 0, value.shape);
    const first = moveAxis(value.tensor, axis, 0);
    return new Value(value.type, inputTurns?.[i] === 1 ? flip(first, 0) : first);
  });
  const { states, rows } = await steps(call, body, values.slice(0, count), xs);
  const outputs = rows.map((list, k) => {
    const ordered = outputTurns?.[k] === 1 ? [...list].reverse() : list;
    return stacked(call, body, count + k, ordered, outputAxes?.[k] ?? 0);
  });
  return [...states, ...outputs];
};

async function steps(call: Call, body: Graph, start: readonly Value[], xs: readonly Value[]) {
  let states = [...start];
  const rows: Value[][] = body.outputs.slice(states.length).map(() => []);
  for (let t = 0; t < (xs[0]?.shape[0] ?? 0); t++) {
    const elements = xs.map((value) => new Value(value.type, select(value.tensor, 0, t)));
    const results = await call.run(body, [...states, ...elements]);
    states = results.slice(0, start.length);
    results.slice(start.length).forEach((value, k) => {
      rows[k].push(value);
    });
  }
  return { states, rows };
}

/** Opset 8: a first input of lengths, and a batch axis before everything. */
async function scanOfBatches(call: Call, body: Graph, sequences: number): Promise<Awaited<Output>> {
  if (call.optional(0) !== undefined) return call.unsupported("input sequence_lens of Scan-8");
  if (call.ints("directions")?.some((turn) => turn === 1)) return call.unsupported("attribute directions of Scan-8");
  const values = call.rest(1);
  const count = values.length - sequences;
  const batch = values[0]?.shape[0] ?? 0;
  const samples: Value[][] = [];
  for (let b = 0; b < batch; b++) {
    const sample = values.map((value) => new Value(value.type, select(value.tensor, 0, b)));
    const { states, rows } = await steps(call, body, sample.slice(0, count), sample.slice(count));
    samples.push([...states, ...rows.map((list, k) => stacked(call, body, count + k, list, 0))]);
  }
  return body.outputs.map((_, k) =>
    stacked(
      call,
      body,
      k,
      samples.map((sample) => sample[k]),
      0,
    ),
  );
}

export const control: Readonly<Record<string, Row>> = { If: branch, Loop: loop, Scan: scanRow };
