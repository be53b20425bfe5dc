// Tensor: a thin, lazy handle on a node of the graph. It holds no arithmetic: operations attach theirs (ops/methods.ts).

import { gradients, trackedNodes } from "./autograd/gradients.ts";
import { type DType, type HostArray, hostArray, isFloat } from "./dtype.ts";
import { ArgumentError, GradientError, ShapeError } from "./errors.ts";
import { dataNode, type Node, withoutGrad } from "./graph/node.ts";
import type { Storage } from "./graph/storage.ts";
import { build } from "./primitives/index.ts";
import { realize } from "./runtime/realize.ts";
import { currentTrace } from "./runtime/trace.ts";
import { formatShape, type Shape, sizeOf } from "./shape.ts";

/** Nested arrays of numbers, as deep as the tensor's rank. */
export type NestedArray = number | readonly NestedArray[];

/** Leaves of the graph that stand for a tensor the user holds: how `backward` finds whose gradient it has. */
const owners = new WeakMap<Node, Tensor>();

/** The tensor a leaf of the graph stands for, if it stands for one. */
export const ownerOf = (node: Node): Tensor | undefined => owners.get(node);

export class Tensor {
  /** The gradient `backward` accumulated, if any. */
  grad: Tensor | undefined;
  #node: Node;
  #requiresGrad = false;

  /** For the engine's own use: users make tensors with `tensor`, `zeros`, ... */
  constructor(node: Node) {
    this.#node = node;
  }

  /** The graph node this tensor stands for now. */
  get node(): Node {
    const traced = currentTrace()?.updates.get(this);
    if (traced !== undefined) return traced;
    // A leaf whose values were replaced in place (by a compiled step) is read anew; recorded users of it are stale.
    if (this.#node.op === "data" && this.#node.stale && this.#node.storage !== undefined) {
      this.#setLeaf(this.#node.storage);
    }
    return this.#node;
  }

  /** Where a leaf's values live, whatever was written there since; undefined for what has no values yet. */
  get storage(): Storage | undefined {
    return this.#node.storage;
  }

  get shape(): Shape {
    return this.#node.shape;
  }

  get dtype(): DType {
    return this.#node.dtype;
  }

  /** Number of axes. */
  get rank(): number {
    return this.#node.shape.length;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.#node.shape);
  }

  /**
   * Whether `backward` fills this tensor's `grad`. Settable on leaves and on results that depend on no leaf that requires
   * gradients, which are evaluated and become leaves.
   */
  get requiresGrad(): boolean {
    return this.#requiresGrad;
  }

  set requiresGrad(value: boolean) {
    if (value === this.#requiresGrad) return;
    if (value && !isFloat(this.dtype)) {
      throw new GradientError("requiresGrad", `only f32 and f64 tensors have gradients, this one is ${this.dtype}`);
    }
    const storage = this.#ownValues();
    this.#requiresGrad = value;
    this.#setLeaf(storage);
  }

  /** The values of a leaf; a result that nothing differentiates is evaluated and becomes one. */
  #ownValues(): Storage {
    const { node } = this;
    if (node.op !== "data" && node.tracked) {
      throw new GradientError("requiresGrad", "only leaves can be set to require gradients; use detach() first");
    }
    if (node.storage === undefined) realize([this.#readable("requiresGrad")]);
    return node.storage as Storage;
  }

  #setLeaf(storage: Storage): void {
    this.#node = dataNode(storage, this.#node.shape, this.#requiresGrad);
    owners.set(this.#node, this);
  }

  /** Evaluates what is not yet known and returns the values, row-major. The array is the tensor's own: do not write. */
  async data(): Promise<HostArray> {
    const node = this.#readable("data");
    await realize([node]);
    const storage = node.storage as Storage;
    storage.host ??= await (storage.device as NonNullable<Storage["device"]>).read();
    return storage.host;
  }

  /** Like `data`, at once; only on synchronous backends. The array is the tensor's own: do not write. */
  dataSync(): HostArray {
    const node = this.#readable("dataSync");
    if (realize([node]) !== undefined) {
      throw new ArgumentError("dataSync", "this backend is asynchronous; use await t.data()");
    }
    const storage = node.storage as Storage;
    if (storage.host === undefined) {
      const values = storage.device?.read();
      if (values === undefined || values instanceof Promise) {
        throw new ArgumentError("dataSync", "these values are on an asynchronous device; use await t.data()");
      }
      storage.host = values;
    }
    return storage.host;
  }

  #readable(op: string): Node {
    if (currentTrace() !== undefined) {
      throw new ArgumentError(
        op,
        "values cannot be read while compile() traces a function: return the tensor and read it outside",
      );
    }
    return this.node;
  }

  /** The only element of a tensor of size 1. */
  item(): number {
    if (this.size !== 1) throw new ShapeError("item", `needs one element, got shape ${formatShape(this.shape)}`);
    return this.dataSync()[0];
  }

  /** The values as nested arrays (a number for rank 0). */
  toArray(): NestedArray {
    return nest(this.dataSync(), this.shape, 0);
  }

  /** The same values, cut off from the graph of gradients. */
  detach(): Tensor {
    const { node } = this;
    // Inside compile() a leaf stands for what each call brings, so a second leaf over the same storage would not do.
    const known = node.op === "data" && currentTrace() === undefined ? node.storage : undefined;
    if (known !== undefined) return new Tensor(dataNode(known, node.shape));
    return new Tensor(build.stopGradient(node));
  }

  /**
   * Accumulates the gradient of this scalar (or of sum(this * seed)) into `grad` of every leaf that requires one.
   * Lazy: nothing is computed until a gradient is read or an optimizer steps.
   */
  backward(seed?: Tensor): void {
    const { node } = this;
    if (!node.tracked) {
      throw new GradientError("backward", "this tensor depends on no leaf that requires gradients (or noGrad was on)");
    }
    if (seed === undefined && this.size !== 1) {
      throw new GradientError("backward", `needs a scalar or a seed of shape ${formatShape(this.shape)}`);
    }
    const leaves = trackedNodes(node).filter((leaf) => owners.has(leaf));
    withoutGrad(() => {
      const found = gradients(node, seed?.node ?? build.fill(node, 1), leaves);
      leaves.forEach((leaf, i) => {
        const [g, owner] = [found[i], owners.get(leaf)];
        if (g === undefined || owner === undefined) return;
        const before = owner.grad;
        if (before !== undefined) checkAccumulation(owner, before);
        else
          currentTrace()?.atEnd.push(() => {
            owner.grad = undefined;
          });
        owner.grad = new Tensor(before === undefined ? g : build.add(before.node, g));
        if (currentTrace() !== undefined) traceGradients.add(owner.grad);
        roots.set(owner.grad, [...(before === undefined ? [] : rootsOf(before)), this]);
      });
    });
  }

  /** Replaces the values of this leaf from a host array of the same length; graphs recorded before become stale. */
  copyFrom(values: ArrayLike<number>): void {
    const { storage } = this.node;
    if (currentTrace() !== undefined)
      throw new ArgumentError("copyFrom", "not while compile() traces; pass an argument");
    if (this.#node.op !== "data" || storage === undefined)
      throw new ArgumentError("copyFrom", "only leaves can be overwritten");
    if (values.length !== storage.length) {
      throw new ShapeError(
        "copyFrom",
        `needs ${storage.length} values for ${formatShape(this.shape)}, got ${values.length}`,
      );
    }
    // The old host array is not reused: someone may have got it from data().
    const host = hostArray(storage.dtype, storage.length);
    host.set(values);
    storage.overwrite(host);
  }

  /** For optimizers and buffers: replaces a leaf's value by one that is already known, as a new version of the leaf. */
  adopt(storage: Storage): void {
    this.#setLeaf(storage);
  }

  toString(): string {
    const body = this.size <= 64 ? format(this.toArray()) : "...";
    return `Tensor(${body}, shape ${formatShape(this.shape)}, ${this.dtype})`;
  }
}

const traceGradients = new WeakSet<Tensor>();

// Inside compile(), a gradient that existed before the trace would be a constant of the step: refuse it.
function checkAccumulation(owner: Tensor, before: Tensor): void {
  if (currentTrace() === undefined || traceGradients.has(before)) return;
  throw new GradientError(
    "backward",
    `a parameter of shape ${formatShape(owner.shape)} has a gradient from outside the compiled function; ` +
      "call optimizer.zeroGrad() first, inside the function",
  );
}

const roots = new WeakMap<Tensor, readonly Tensor[]>();

/** The losses a gradient came from: an update evaluates them too, since it needs most of their graph anyway. */
export const rootsOf = (gradient: Tensor): readonly Tensor[] => roots.get(gradient) ?? [];

// JSON has no NaN and no Inf.
const format = (value: NestedArray): string =>
  typeof value === "number" ? String(value) : `[${value.map(format).join(",")}]`;

function nest(values: HostArray, shape: Shape, offset: number): NestedArray {
  if (shape.length === 0) return values[offset];
  const [side, ...rest] = shape;
  const stride = sizeOf(rest);
  return Array.from({ length: side }, (_, i) => nest(values, rest, offset + i * stride));
}

/** A leaf tensor over a storage. */
export function leafTensor(storage: Storage, shape: Shape, requiresGrad = false): Tensor {
  const tensor = new Tensor(dataNode(storage, shape));
  if (requiresGrad) tensor.requiresGrad = true;
  else owners.set(tensor.node, tensor);
  return tensor;
}

/** Makes a node stand for a tensor: gradients that reach it are the tensor's. */
export function registerLeaf(node: Node, tensor: Tensor): void {
  owners.set(node, tensor);
}
