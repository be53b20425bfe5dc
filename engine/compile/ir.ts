// The kernel IR: what a backend turns into code. A program is a list of kernel calls over numbered buffers.

import type { DType } from "../dtype.ts";
import type { ElementwiseOp, ReduceOp } from "../graph/vocabulary.ts";
import type { IndexSource } from "../operation.ts";
import type { Access } from "./view.ts";

/** A scalar function: an elementwise primitive, or a uniform number of (key0, key1, counter, index; bound as 32 bits, for i32). */
export type ScalarFn = ElementwiseOp | "uniform";

/**
 * One scalar value of a stage, in single-assignment order: operands are positions of earlier instructions of the
 * same stage. Accesses are over the kernel's axes (point stages: over the outer axes only).
 */
export type Instr =
  /** Element of argument `arg`; `fill` where the access is masked. */
  | { readonly op: "load"; readonly dtype: DType; readonly arg: number; readonly access: Access; readonly fill: number }
  /**
   * Element of `arg` at the position of `access` plus `stride` times the i32 value `index`, which must be in
   * [0, bound): otherwise the kernel reports index and bound, and reads element 0 of the axis.
   */
  | {
      readonly op: "gather";
      readonly dtype: DType;
      readonly arg: number;
      readonly access: Access;
      readonly index: number;
      readonly stride: number;
      readonly bound: number;
      /** Whose index it is, for that report. */
      readonly source: IndexSource;
    }
  /** The flat position the access gives, as i32; `fill` where masked. */
  | { readonly op: "index"; readonly dtype: "i32"; readonly access: Access; readonly fill: number }
  | { readonly op: "const"; readonly dtype: DType; readonly value: number }
  /** The value of a register set by an earlier stage for the same outer index. */
  | { readonly op: "register"; readonly dtype: DType; readonly register: number }
  /** `dtype` is the result's; a cast takes its source's dtype from its operand. */
  | { readonly op: "apply"; readonly dtype: DType; readonly fn: ScalarFn; readonly args: readonly number[] };

/**
 * Stores a value of the stage; accesses are affine and unmasked. With `add`, the values of all indices along the
 * kernel's summed axes are added up, from 0 and in order; the access stands still along these and is contiguous along rows.
 */
export interface Store {
  readonly arg: number;
  readonly access: Access;
  readonly value: number;
  readonly add?: true;
}

/**
 * Folds a value of a row stage over all row axes into a register. `parts` says in which order, where that makes a
 * difference (sums and products of floats): the value at index i of the last row axis longer than 1 is joined to partial
 * result i % parts, which starts at the identity; then i is joined with i + parts / 2 for i < parts / 2, and so on.
 * A power of two: 1 (in order) where lanes run along the outer axes, at least the lanes of a vector where along the row.
 * (`gpu` has an order of its own, which depends on the row's length alone.)
 */
export interface Fold {
  readonly op: ReduceOp;
  readonly value: number;
  readonly register: number;
  readonly parts?: number | undefined;
}

/**
 * One pass. `row`: runs over all row axes for the current outer index, storing elements and folding values.
 * `point`: runs once per outer index, after the folds of earlier stages are complete; may keep values in registers.
 */
export interface Stage {
  readonly over: "row" | "point";
  readonly instrs: readonly Instr[];
  readonly stores: readonly Store[];
  readonly folds: readonly Fold[];
  readonly keeps: readonly { readonly value: number; readonly register: number }[];
}

/**
 * A loop nest: for every index of the first `outer` axes, run the stages in order. Registers live for one outer index.
 * A plain elementwise kernel has `outer` 0 or more and one row stage; a reduction has a row stage that folds and a
 * point stage that stores; softmax has three row stages.
 * `lanes` says which axis SIMD lanes should run along: the last row axis ("row"), or the last outer axis ("outer":
 * every value is a vector of neighbouring outer indices, folds need no horizontal step).
 * `summed` (default 0): over how many of the last outer axes stores with `add` add up (column sums, in parts); lanes then run along
 * the row.
 */
export interface LoopKernel {
  readonly kind: "loop";
  readonly axes: readonly number[];
  readonly outer: number;
  readonly summed?: number;
  readonly lanes: "row" | "outer";
  readonly args: readonly KernelArg[];
  readonly registers: readonly DType[];
  readonly stages: readonly Stage[];
}

export interface KernelArg {
  readonly dtype: DType;
  readonly mode: "read" | "write" | "readwrite";
}

/** One of several axes that an index of a matrix walks together. */
export interface WalkAxis {
  readonly side: number;
  readonly stride: number;
}

/** Strides in elements of a batched matrix operand: one per batch axis, then rows and columns. */
export interface MatrixAccess {
  readonly batch: readonly number[];
  readonly row: number;
  readonly col: number;
  readonly offset: number;
  /**
   * Where rows (columns) are several axes that no one stride can walk, as the positions and the taps of sliding windows
   * are: these axes, the last fastest; `row` (`col`) is the last one's stride. Only in contractions.
   */
  readonly rows?: readonly WalkAxis[];
  readonly cols?: readonly WalkAxis[];
}

/** A map that runs over what a product has made; argument i of the loop is argument `args[i]` of the product's kernel. */
export interface EpilogueLoop {
  readonly loop: LoopKernel;
  readonly args: readonly number[];
}

/**
 * Loops that run, in order, over the elements of C as they become final: a bias, an activation, a residual. Each is one
 * row stage without folds whose index space is C, element by element in C's order, and reads C there and nowhere else,
 * and nothing that another one writes. The last one may store to argument 2, over C, if nothing else wants C.
 */
export interface Epilogue {
  readonly loops: readonly EpilogueLoop[];
  /** Whether somebody else reads C afterwards. */
  readonly kept: boolean;
}

/**
 * C[b, m, n] = sum_k A[b, m, k] * B[b, k, n]; arguments are A, B, C in this order, then what the epilogue takes besides;
 * C is contiguous.
 */
export interface ContractKernel {
  readonly kind: "contract";
  readonly dtype: "f32" | "f64";
  /** Sides of the batch axes (collapsed where strides allow). */
  readonly batch: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: MatrixAccess;
  readonly b: MatrixAccess;
  readonly epilogue?: Epilogue;
  readonly args: readonly KernelArg[];
}

/**
 * out = x, then out[o, index[o, j, i], i] += updates[o, j, i] in order of j, for o < outer, j < count, i < inner.
 * Arguments are x, index, updates, out, all contiguous; `bound` is the side of out's indexed axis. With one outer index,
 * out may be x in place; a wrong index is then found before anything is written.
 */
export interface ScatterKernel {
  readonly kind: "scatter";
  readonly dtype: DType;
  readonly outer: number;
  readonly bound: number;
  readonly count: number;
  readonly inner: number;
  readonly source: IndexSource;
  readonly args: readonly KernelArg[];
}

/**
 * Products over rows sorted by group; group g is the rows [offsets[g], offsets[g + 1]) of a sorted axis of `rows`.
 * `rows`: C[r, :] = A[r, :] * B[g] for r in group g, 0 for r in none; the sorted axis is m, B's batch stride leads to the
 * next group. `inner`: C[g] = sum of A[:, r] * B[r, :] over r in group g; the sorted axis is k.
 * Arguments are A, B, offsets (i32, groups + 1), C (contiguous). Offsets that do not ascend within the sorted axis are
 * an error of the run.
 */
export interface GroupedKernel {
  readonly kind: "grouped";
  readonly over: "rows" | "inner";
  readonly dtype: "f32" | "f64";
  readonly groups: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: MatrixAccess;
  readonly b: MatrixAccess;
  /** Whose offsets they are, see `IndexSource`. */
  readonly source: string;
  readonly args: readonly KernelArg[];
}

/** Stable argsort of each of `rows` contiguous rows of `length`, NaN last, of which `kept` go to out (i32). Arguments are x, out. */
export interface SortKernel {
  readonly kind: "sort";
  readonly dtype: DType;
  readonly rows: number;
  readonly length: number;
  readonly kept: number;
  readonly descending: boolean;
  readonly args: readonly KernelArg[];
}

/**
 * Over contiguous [outer, length, inner], along `length`, first to last or (`reverse`) last to first:
 * "sum": out = out before + x, from 0; "max": the larger of both, NaN if either is;
 * "linear": out = a * out before + b, the first being b; `lag`: with the coefficient a of the element before.
 * Arguments are x, out or a, b, out. Every result may replace an input in place.
 */
export interface ScanKernel {
  readonly kind: "scan";
  readonly fn: "sum" | "max" | "linear";
  readonly dtype: "f32" | "f64" | "i32";
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  readonly reverse: boolean;
  readonly lag: boolean;
  readonly args: readonly KernelArg[];
}

/**
 * The selective scan of [batch, length, channels] with `states` a channel; all arguments contiguous. Forward: u, delta,
 * A, B, C, h0 -> y, last state, border states (stored only where `borders`). Gradient: the same inputs, border states,
 * gradients of y and of the last state -> gradients of u, delta, A per batch, B and C per `group` of channels, h0.
 * Border states are those before every `chunk`-th step: [chunks, batch, channels padded to 4, states], in an order that
 * only this kernel and its gradient know.
 */
export interface SelectiveKernel {
  readonly kind: "selective";
  readonly gradient: boolean;
  readonly dtype: "f32" | "f64";
  readonly batch: number;
  readonly length: number;
  readonly channels: number;
  readonly states: number;
  readonly chunk: number;
  readonly group: number;
  readonly borders: boolean;
  readonly args: readonly KernelArg[];
}

/**
 * A program run `length` times, first to last step or (`reverse`) last to first. Buffers in `bindings` lie `step` elements
 * on in an argument at each step, others in the last argument, which is the body's arena. `starts` are copied between
 * arguments before the first step: a state is one argument that each step reads and writes.
 */
export interface RepeatKernel {
  readonly kind: "repeat";
  readonly body: Program;
  readonly length: number;
  readonly reverse: boolean;
  readonly bindings: readonly { readonly buffer: number; readonly arg: number; readonly step: number }[];
  readonly starts: readonly { readonly from: number; readonly to: number; readonly bytes: number }[];
  readonly args: readonly KernelArg[];
}

export type Kernel =
  | LoopKernel
  | ContractKernel
  | GroupedKernel
  | ScatterKernel
  | SortKernel
  | ScanKernel
  | RepeatKernel
  | SelectiveKernel;

/**
 * What a buffer of a program is. `state` is memory that outlives the run (parameters, optimizer state), bound by
 * address; everything else lives in the arena: `input` is copied in before the run, `output` copied out after it.
 */
export interface Buffer {
  readonly dtype: DType;
  readonly length: number;
  readonly role: "input" | "state" | "output" | "temporary";
}

export interface KernelCall {
  /** Position in `kernels`: equal kernels are stored once. */
  readonly kernel: number;
  /** Buffer of each argument. */
  readonly args: readonly number[];
}

export interface Program {
  readonly buffers: readonly Buffer[];
  readonly kernels: readonly Kernel[];
  readonly calls: readonly KernelCall[];
  /** Buffers (input or state) in the order of the graph's leaves. */
  readonly inputs: readonly number[];
  /** Buffers in the order of the graph's outputs; one may be an input or state buffer: identity, or updated in place. */
  readonly outputs: readonly number[];
  /** State buffers overwritten after all calls, where writing in place would have come too early: [from, to]. */
  readonly copies: readonly (readonly [from: number, to: number])[];
  /** Bytes of the arena, and the byte offset in it (16-byte aligned) of each buffer that is not state. */
  readonly arena: { readonly bytes: number; readonly offsets: readonly (number | undefined)[] };
}
