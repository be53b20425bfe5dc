// A node of the lazy graph: which primitive, of which inputs. Its value exists only once it is realized.

import type { DType } from "../dtype.ts";
import { StaleTensorError } from "../errors.ts";
import { formatShape, type Shape } from "../shape.ts";
import type { Storage } from "./storage.ts";
import type { Attrs, Op } from "./vocabulary.ts";

let nextId = 1;
let gradMode = true;

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
    if (!this.tracked) this.#inputs = [];
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

/** A leaf with known values. */
export function dataNode(storage: Storage, shape: Shape, tracked = false): Node<"data"> {
  const node = new Node("data", [], {}, shape, storage.dtype, tracked);
  node.realizeAs(storage);
  return node;
}
