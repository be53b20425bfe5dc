// Kernels that are no loops over scalar expressions: contraction, scatter, sort, scans.

import { sizeOf } from "../shape.ts";
import { matrixAccess } from "./composite.ts";
import type { ContractKernel, GroupedKernel, Kernel, KernelArg, MatrixAccess, ScanKernel } from "./ir.ts";
import { movedFrom, type Vertex } from "./vertex.ts";

export interface OpaqueKernel {
  readonly kernel: Kernel;
  /** The stored vertices its reading arguments come from, in order; the last argument is the vertex itself. */
  readonly operands: readonly Vertex[];
}

/** The kernel of an opaque vertex; undefined for those that only name memory (data, concatenation). */
export function opaqueKernel(v: Vertex): OpaqueKernel | undefined {
  switch (v.op) {
    case "contract":
      return contract(v);
    case "groupedContract":
    case "groupedOuter":
      return grouped(v);
    case "scatterAdd":
      return scatter(v);
    case "argsort":
      return sort(v);
    case "recurrence":
      return scan(v, "linear", v.as("recurrence").lag);
    case "cumsum":
      return scan(v, "sum");
    case "cummax":
      return scan(v, "max");
    default:
      return undefined;
  }
}

const base = movedFrom;

const reads = (...vertices: readonly Vertex[]): KernelArg[] =>
  vertices.map((v): KernelArg => ({ dtype: v.dtype, mode: "read" }));

const writes = (v: Vertex): KernelArg => ({ dtype: v.dtype, mode: "write" });

function contract(v: Vertex): OpaqueKernel {
  const [x, y] = v.inputs;
  const rank = v.shape.length;
  const kernel = foldBatch({
    kind: "contract",
    dtype: v.dtype as "f32" | "f64",
    batch: v.shape.slice(0, -2),
    m: v.shape[rank - 2],
    n: v.shape[rank - 1],
    k: x.shape[rank - 1],
    a: matrix(x),
    b: matrix(y),
    args: [...reads(x, y), writes(v)],
  });
  return { kernel, operands: [base(x), base(y)] };
}

function grouped(v: Vertex): OpaqueKernel {
  const [x, y, offsets] = v.inputs;
  const over = v.op === "groupedContract" ? "rows" : "inner";
  const [rows, k] = x.shape;
  const n = v.shape[v.shape.length - 1];
  const a = matrix(x);
  const kernel: GroupedKernel = {
    kind: "grouped",
    over,
    dtype: v.dtype as "f32" | "f64",
    groups: offsets.shape[0] - 1,
    // Summed over rows, x stands transposed: K rows of R.
    ...(over === "rows" ? { m: rows, n, k, a } : { m: k, n, k: rows, a: { ...a, row: a.col, col: a.row } }),
    b: matrix(y),
    source: v.as("groupedContract").source,
    args: [...reads(x, y, offsets), writes(v)],
  };
  return { kernel, operands: [base(x), base(y), base(offsets)] };
}

function matrix(v: Vertex): MatrixAccess {
  const access = matrixAccess(v);
  if (access === undefined) throw new Error("compile: an operand of a product is not in memory");
  return access;
}

/**
 * Fewer, larger products: batch axes of one index go; neighbours that step as one merge; and an axis over which B does
 * not change becomes more rows of A (a linear layer over [batch, time, features] is one product).
 */
function foldBatch(kernel: ContractKernel): ContractKernel {
  const { batch, a, b, m } = kernel;
  const last = batch.length - 1;
  const without = (at: number, side?: number): ContractKernel => {
    const drop = (list: readonly number[]) => list.filter((_, i) => i !== at);
    const sides = side === undefined ? batch : batch.with(at + 1, side);
    return { ...kernel, batch: drop(sides), a: { ...a, batch: drop(a.batch) }, b: { ...b, batch: drop(b.batch) } };
  };
  const one = batch.indexOf(1);
  if (one >= 0) return foldBatch(without(one));
  for (let i = 0; i < last; i++) {
    const steps = (x: MatrixAccess) => x.batch[i] === x.batch[i + 1] * batch[i + 1];
    if (steps(a) && steps(b)) return foldBatch(without(i, batch[i] * batch[i + 1]));
  }
  if (last >= 0 && b.batch[last] === 0 && a.rows === undefined && (m === 1 || a.batch[last] === a.row * m)) {
    const fewer = without(last);
    const row = m === 1 ? a.batch[last] : a.row;
    return foldBatch({ ...fewer, m: m * batch[last], a: { ...fewer.a, row } });
  }
  return kernel;
}

function scatter(v: Vertex): OpaqueKernel {
  const [x, index, updates] = v.inputs;
  const source = v.as("scatterAdd");
  const { axis } = source;
  const kernel: Kernel = {
    kind: "scatter",
    dtype: v.dtype,
    outer: sizeOf(v.shape.slice(0, axis)),
    bound: v.shape[axis],
    count: index.shape[axis],
    inner: sizeOf(v.shape.slice(axis + 1)),
    source,
    args: [...reads(x, index, updates), writes(v)],
  };
  return { kernel, operands: [base(x), base(index), base(updates)] };
}

function sort(v: Vertex): OpaqueKernel {
  const [x] = v.inputs;
  const length = x.shape[x.shape.length - 1];
  const rows = sizeOf(v.shape.slice(0, -1));
  const kernel: Kernel = {
    kind: "sort",
    dtype: x.dtype,
    rows,
    length,
    ...v.as("argsort"),
    args: [...reads(x), writes(v)],
  };
  return { kernel, operands: [base(x)] };
}

function scan(v: Vertex, fn: ScanKernel["fn"], lag = false): OpaqueKernel {
  const { axis, reverse } = v.as("cumsum");
  const kernel: ScanKernel = {
    kind: "scan",
    fn,
    dtype: v.dtype as ScanKernel["dtype"],
    outer: sizeOf(v.shape.slice(0, axis)),
    length: v.shape[axis],
    inner: sizeOf(v.shape.slice(axis + 1)),
    reverse,
    lag,
    args: [...reads(...v.inputs), writes(v)],
  };
  return { kernel, operands: v.inputs.map(base) };
}
