// A node of the lazy graph: which primitive, with which attributes, of which inputs. Its value exists once realized.

import type { DType } from "../dtype.ts";
import { StaleTensorError } from "../errors.ts";
import type { IndexSource } from "../operation.ts";
import { formatShape, type Shape } from "../shape.ts";
import type { Storage } from "./storage.ts";
import type { BinaryOp, ReduceOp, UnaryOp } from "./vocabulary.ts";

type None = Record<never, never>;

interface OtherAttrs {
  /** Elementwise: (bool condition, a, b). */
  where: None;
  cast: { readonly dtype: DType };
  /** (x, token): x, but not before the token is computed. */
  after: None;
  /** The input unchanged; gradients stop here. */
  stopGradient: None;
  /** The input unchanged; a node of its own to differentiate with respect to. */
  alias: None;
  /** The first input unchanged; `rule` gives the gradients of the others from that of the output. */
  custom: { readonly rule: (seed: Node) => readonly (Node | undefined)[] };

  reshape: { readonly shape: Shape };
  permute: { readonly order: readonly number[] };
  /** Repeats sides of 1 up to `shape`; same rank. */
  expand: { readonly shape: Shape };
  /** Elements start, start + step, ... < stop of each axis; steps are positive. */
  slice: { readonly starts: readonly number[]; readonly stops: readonly number[]; readonly steps: readonly number[] };
  pad: { readonly lo: readonly number[]; readonly hi: readonly number[]; readonly value: number };
  flip: { readonly axes: readonly number[] };
  /**
   * Windows sliding over axes: x[.., p * stride + t * dilation, ..] at position p of each axis, in place of the axis,
   * and element t of each window, behind all axes in the order of `axes`.
   */
  windows: {
    readonly axes: readonly number[];
    readonly sizes: readonly number[];
    readonly strides: readonly number[];
    readonly dilations: readonly number[];
  };
  concat: { readonly axis: number };

  /** Batched matrix product: [...b, M, K] x [...b, K, N] -> [...b, M, N], equal batch sides. */
  contract: None;
  /** [R, K] x [G, K, N] x offsets i32 [G + 1] -> [R, N]: rows offsets[g] to offsets[g + 1] times matrix g, others 0. */
  groupedContract: { /** Whose offsets, see `IndexSource`. */ readonly source: string };
  /** [R, K] x [R, N] x offsets i32 [G + 1] -> [G, K, N]: the outer products of each group's rows, summed. */
  groupedOuter: { readonly source: string };
  /** out[.., i, ..] = x[.., index[.., i, ..], ..] along `axis` (NumPy's take_along_axis). */
  gather: IndexSource;
  /** x with updates[.., i, ..] added at index[.., i, ..] along `axis`; repeated indices add up in order. */
  scatterAdd: IndexSource;
  /** The first `kept` positions of a stable argsort along the last axis, i32; NaN last in both directions. */
  argsort: { readonly descending: boolean; readonly kept: number };

  /**
   * Along `axis`, first to last (`reverse`: last to first): h = a * h before + b, elementwise; the first h is its b.
   * `lag`: the coefficient is a of the element before (a transposed recurrence, as its gradient is).
   */
  recurrence: { readonly axis: number; readonly reverse: boolean; readonly lag: boolean };
  /** Sum of the elements so far along `axis`. */
  cumsum: { readonly axis: number; readonly reverse: boolean };
  /** Largest element so far along `axis`; NaN from the first NaN on. */
  cummax: { readonly axis: number; readonly reverse: boolean };

  /** Runs a body once per step; inputs are its leaves' values: first carries, sequences, constants. Its results are parts. */
  scan: { readonly body: Body };
  /**
   * (u, delta, A, B, C, h0) of shapes [b, t, d], [b, t, d], [d, n], [b, t, n], [b, t, n], [b, d, n]:
   * h_t = exp(delta_t A) h_(t-1) + delta_t u_t B_t, y_t = sum over n of C_t h_t. Results: y, the last h, and states at
   * the borders of chunks in an order of the backend's own.
   */
  selectiveScan: { readonly second: SecondOrder };
  /**
   * Its gradients from (its inputs, the border states, gradients of y and of the last h): of u, delta, A (for each b),
   * B and C (for each group of channels), and h0.
   */
  selectiveScanGrad: { readonly second: SecondOrder };
  /** One result of a node that has several. */
  part: { readonly index: number };
  /** Gradients of some results of such a node; exists only while differentiating. */
  tuple: { readonly slots: readonly number[] };

  /** A leaf whose values are in a Storage. */
  data: None;
  full: { readonly shape: Shape; readonly dtype: DType; readonly value: number };
  /** i32 position along `axis`. */
  iota: { readonly shape: Shape; readonly axis: number };
  /**
   * Uniform from the key [seed, stream, counter] (i32[3]); counter + call selects the draw. Floats in [0, 1), i32 in
   * [0, bound): `bound` is at most 2^32, beyond 2^31 numbers wrap around.
   */
  uniform: {
    readonly shape: Shape;
    readonly dtype: "f32" | "f64" | "i32";
    readonly call: number;
    readonly bound?: number;
  };
}

/** What a scan does at each step: a graph cut off at its leaves. Results are those of the last step, then sequences. */
export interface Body {
  /** Carries, elements of the scanned sequences (along their first axis), and values that stay the same. */
  readonly leaves: readonly Node[];
  readonly carries: number;
  readonly sequences: number;
  /** The next value of each carry, then what each step adds to the resulting sequences. */
  readonly results: readonly Node[];
  readonly length: number;
  /** From the last element to the first. */
  readonly reverse: boolean;
  /** Gradients of the scan's inputs from those of its results. */
  pullBack(scan: Node<"scan">, results: Node<"tuple">): readonly (Node | undefined)[];
  /** Equal for bodies that compile to the same program. */
  toString(): string;
}

/** The gradient of a gradient kernel, by other means. */
export interface SecondOrder {
  pullBack(gradient: Node<"selectiveScanGrad">, results: Node<"tuple">): readonly (Node | undefined)[];
  /** The same text for all. */
  toString(): string;
}

/** Static attributes of every primitive. The union of its keys is the primitive set. */
export type Attrs = OtherAttrs &
  Record<UnaryOp | BinaryOp, None> &
  Record<ReduceOp, { /** Sorted axes to reduce; they disappear from the shape. */ readonly axes: readonly number[] }>;

export type Op = keyof Attrs;

let nextId = 1;
let gradMode = true;

/** The id the next node will have: ids only grow, so this tells older nodes from newer ones. */
export const nextNodeId = (): number => nextId;

/** Whether new nodes take part in differentiation. */
export const gradEnabled = (): boolean => gradMode;

/** Runs `fn` while new nodes are constants to differentiation. */
export function withoutGrad<T>(fn: () => T): T {
  const before = gradMode;
  gradMode = false;
  try {
    return fn();
  } finally {
    gradMode = before;
  }
}

export class Node<P extends Op = Op> {
  readonly id: number = nextId++;
  readonly op: P;
  readonly attrs: Attrs[P];
  readonly shape: Shape;
  readonly dtype: DType;
  /** Gradients can flow through: a tracked leaf is somewhere below, and gradients were enabled. */
  readonly tracked: boolean;
  #inputs: readonly Node[];
  #storage: Storage | undefined;
  #version = 0;

  constructor(op: P, inputs: readonly Node[], attrs: Attrs[P], shape: Shape, dtype: DType, tracked?: boolean) {
    this.op = op;
    this.#inputs = inputs;
    this.attrs = attrs;
    this.shape = shape;
    this.dtype = dtype;
    this.tracked = tracked ?? (gradMode && inputs.some((input) => input.tracked));
  }

  get inputs(): readonly Node[] {
    return this.#inputs;
  }

  /** The realized value, if there is one. */
  get storage(): Storage | undefined {
    return this.#storage;
  }

  /** True when the realized value was overwritten in place since (a parameter a compiled step has updated). */
  get stale(): boolean {
    return this.#storage !== undefined && this.#storage.version !== this.#version;
  }

  /** Remembers the computed value. What nobody can differentiate any more lets go of its history. */
  realizeAs(storage: Storage): void {
    this.#storage = storage;
    this.#version = storage.version;
    if (!this.tracked) this.#inputs = nothing;
  }

  /** Throws when the value this node stands for no longer exists. */
  checkFresh(): void {
    if (this.stale) {
      throw new StaleTensorError(
        "realize",
        `a tensor of shape ${formatShape(this.shape)} (${this.dtype}) was recorded before its values were overwritten ` +
          "in place (by a compiled step, an optimizer or copyFrom); read it before the update, or compute it again after",
      );
    }
  }
}

/** Shared: results of a replayed step leave less to collect. */
const nothing: readonly Node[] = Object.freeze([]);
const noAttrs: Attrs["data"] = Object.freeze({});

/** A leaf with known values. */
export function dataNode(storage: Storage, shape: Shape, tracked = false): Node<"data"> {
  const node = new Node("data", nothing, noAttrs, shape, storage.dtype, tracked);
  node.realizeAs(storage);
  return node;
}
