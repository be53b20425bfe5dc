// Module: a model is plain data. Its fields are its parameters, buffers and sub-modules, and their names are the paths.

import { ArgumentError, type DType, isFloat, Tensor, tensor } from "../engine/index.ts";
import { draw, inherit, type Role, roleOf } from "./parameter.ts";
import { loadTensors } from "./state.ts";
import { Stream } from "./stream.ts";

/** Any module, whatever it takes and gives. */
export type AnyModule = Module<never[], unknown>;

/** A field that holds a parameter or buffer: where it is, and under which name. */
interface Slot {
  readonly name: string;
  readonly role: Role;
  readonly tensor: Tensor;
  readonly fields: { [key: string]: unknown };
  readonly key: string;
}

/**
 * Base class of models and their parts. A subclass makes `parameter(...)`s, `buffer(...)`s and other modules its
 * fields (arrays of modules too) and computes in `forward`. Nothing needs registering.
 */
export abstract class Module<In extends readonly unknown[] = [x: Tensor], Out = Tensor> {
  /** Whether what is active in training only (dropout, noise) is active: see `train` and `eval`. */
  training = true;

  abstract forward(...inputs: In): Out;

  /** The fields, by name. Containers override it, to name their parts by position alone. */
  fields(): Iterable<readonly [name: string, value: unknown]> {
    return Object.entries(this);
  }

  /** Every parameter once, in the order of the fields: what an optimizer takes. */
  parameters(): Tensor[] {
    return this.namedParameters().map(([, tensor]) => tensor);
  }

  /** Every parameter once, with its full name, such as "experts.weight". */
  namedParameters(): [name: string, tensor: Tensor][] {
    return distinct(this, "parameter");
  }

  /** Every buffer once, with its full name: state that is saved but not trained. */
  namedBuffers(): [name: string, tensor: Tensor][] {
    return distinct(this, "buffer");
  }

  /** This module and all below it. */
  modules(): AnyModule[] {
    const found = new Set<AnyModule>();
    const visit = (module: AnyModule): void => {
      if (found.has(module)) return;
      found.add(module);
      for (const [, child] of childrenOf(module)) visit(child);
    };
    visit(this);
    return [...found];
  }

  /** Training mode on (or off), here and below. Inside compile() the mode at tracing time is kept. */
  train(on = true): this {
    for (const module of this.modules()) module.training = on;
    return this;
  }

  /** Training mode off, here and below. */
  eval(): this {
    return this.train(false);
  }

  /** Draws every parameter anew: its values depend on the seed and its full name only. */
  initialize(seed: number): this {
    for (const [name, tensor] of this.namedParameters()) draw(tensor, new Stream(seed, name));
    return this;
  }

  /** Changes the dtype of all float parameters and buffers. They become new tensors: make optimizers afterwards. */
  to(dtype: DType): this {
    const copies = new Map<Tensor, Tensor>();
    for (const { tensor: old, fields, key } of slots(this)) {
      if (!isFloat(old.dtype) || old.dtype === dtype) continue;
      let copy = copies.get(old);
      if (copy === undefined) {
        copy = tensor(Float64Array.from(old.dataSync()), { dtype, shape: old.shape, requiresGrad: old.requiresGrad });
        inherit(copy, old);
        copies.set(old, copy);
      }
      fields[key] = copy;
    }
    return this;
  }

  /** A copy of all parameters and buffers, by full name. */
  async stateDict(): Promise<Record<string, Tensor>> {
    const named = [...this.namedParameters(), ...this.namedBuffers()];
    const values = await Promise.all(named.map(([, own]) => own.data()));
    return Object.fromEntries(named.map(([name, { shape, dtype }], i) => [name, tensor(values[i], { shape, dtype })]));
  }

  /**
   * Sets all parameters and buffers, or none: throws an ArgumentError that lists every name that is missing, unknown,
   * or of another shape or dtype.
   */
  async loadStateDict(state: Readonly<Record<string, Tensor>>): Promise<void> {
    const own = Object.fromEntries([...this.namedParameters(), ...this.namedBuffers()]);
    await loadTensors("loadStateDict", own, state);
  }
}

/**
 * Runs `fn` while the named parameters and buffers of a module are the given tensors: a module as a function of its
 * parameters, for `grad`, `jvp` and gradient checks.
 */
export function withParameters<T>(module: AnyModule, values: Readonly<Record<string, Tensor>>, fn: () => T): T {
  const named = new Map([...module.namedParameters(), ...module.namedBuffers()]);
  const replaced = new Map<Tensor, Tensor>();
  for (const [name, value] of Object.entries(values)) {
    const own = named.get(name);
    if (own === undefined) throw new ArgumentError("withParameters", `the module has no "${name}"`);
    replaced.set(own, value);
  }
  const changed = [...slots(module)].filter((slot) => replaced.has(slot.tensor));
  try {
    for (const slot of changed) slot.fields[slot.key] = replaced.get(slot.tensor);
    return fn();
  } finally {
    for (const slot of changed) slot.fields[slot.key] = slot.tensor;
  }
}

function childrenOf(module: AnyModule): [string, AnyModule][] {
  const children: [string, AnyModule][] = [];
  for (const [name, value] of module.fields()) {
    if (value instanceof Module) children.push([name, value]);
    else if (Array.isArray(value)) {
      value.forEach((item: unknown, i) => {
        if (item instanceof Module) children.push([`${name}.${i}`, item]);
      });
    }
  }
  return children;
}

function* slots(module: AnyModule, prefix = "", seen = new Set<AnyModule>()): Generator<Slot> {
  if (seen.has(module)) return;
  seen.add(module);
  for (const [key, value] of Object.entries(module)) {
    const role = value instanceof Tensor ? roleOf(value) : undefined;
    if (role === undefined) continue;
    const fields = module as unknown as Slot["fields"];
    yield { name: prefix + key, role, tensor: value as Tensor, fields, key };
  }
  for (const [name, child] of childrenOf(module)) yield* slots(child, `${prefix}${name}.`, seen);
}

/** Tied tensors count once, under their first name. */
function distinct(module: AnyModule, role: Role): [string, Tensor][] {
  const names = new Map<Tensor, string>();
  for (const slot of slots(module))
    if (slot.role === role && !names.has(slot.tensor)) names.set(slot.tensor, slot.name);
  return [...names].map(([tensor, name]) => [name, tensor]);
}
