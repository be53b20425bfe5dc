// Parameters and buffers: leaf tensors that a module owns. A module finds them among its fields by this registry.

import { ArgumentError, type DType, defaultGenerator, type Shape, type Tensor, zeros } from "../engine/index.ts";
import type { Initializer } from "./init.ts";
import { Stream } from "./stream.ts";

/** What a module's tensor is: trained, or carried along (tables, running statistics) and saved with the rest. */
export type Role = "parameter" | "buffer";

interface Entry {
  readonly role: Role;
  readonly init: Initializer | undefined;
}

const registry = new WeakMap<Tensor, Entry>();

export interface ParameterOptions {
  /** f32 by default; f64 for checking gradients. */
  readonly dtype?: DType;
}

/**
 * A trainable leaf. Its first values are the next draw of the default generator (see `manualSeed`), so they depend on
 * the order of creation; after `module.initialize(seed)` they depend on the seed and the parameter's full name only.
 */
export function parameter(shape: Shape, init: Initializer, { dtype = "f32" }: ParameterOptions = {}): Tensor {
  const tensor = zeros(shape, { dtype, requiresGrad: true });
  registry.set(tensor, { role: "parameter", init });
  draw(tensor, nextStream());
  return tensor;
}

function nextStream(): Stream {
  const generator = defaultGenerator();
  const [seed, stream, counter] = generator.getState();
  generator.setState([seed, stream, counter + 1]);
  return new Stream(seed, `${stream}/${counter}`);
}

/** Makes a leaf part of the state of the module that holds it, without training it. */
export function buffer(tensor: Tensor): Tensor {
  registry.set(tensor, { role: "buffer", init: undefined });
  return tensor;
}

/** Gives a parameter another initialiser and draws it anew, for models that start their layers in their own way. */
export function redraw(tensor: Tensor, init: Initializer): void {
  if (roleOf(tensor) !== "parameter") throw new ArgumentError("redraw", "takes the parameter of a module");
  registry.set(tensor, { role: "parameter", init });
  draw(tensor, nextStream());
}

/** What a tensor is to the module that holds it; undefined for any other tensor. */
export const roleOf = (tensor: Tensor): Role | undefined => registry.get(tensor)?.role;

/** Draws a parameter's initial values again, from a stream. Buffers stay. */
export function draw(tensor: Tensor, stream: Stream): void {
  const init = registry.get(tensor)?.init;
  if (init !== undefined) tensor.copyFrom(Float64Array.from({ length: tensor.size }, () => init(stream)));
}

/** Registers `copy` as what `tensor` is. */
export function inherit(copy: Tensor, tensor: Tensor): void {
  const entry = registry.get(tensor);
  if (entry !== undefined) registry.set(copy, entry);
}

/** How many numbers a set of named shapes holds: counts a model without making it. */
export const countOf = (shapes: Readonly<{ [name: string]: Shape }>): number =>
  Object.values(shapes).reduce((sum, shape) => sum + shape.reduce((size, side) => size * side, 1), 0);
