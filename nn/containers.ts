// Containers: modules in order, named by position ("0.weight").

import type { Tensor } from "../engine/index.ts";
import { type AnyModule, Module } from "./module.ts";

/** Modules that a model runs as it likes: `list.items[i].forward(x)`. */
export class ModuleList<M extends AnyModule> extends Module<never, never> {
  readonly items: readonly M[];

  constructor(items: readonly M[]) {
    super();
    this.items = items;
  }

  override fields(): [string, M][] {
    return this.items.map((item, i) => [String(i), item]);
  }

  override forward(): never {
    throw new TypeError("a ModuleList has no forward of its own: call its items'");
  }
}

/** Runs modules one after the other. */
export class Sequential extends Module {
  readonly items: readonly Module[];

  constructor(...items: readonly Module[]) {
    super();
    this.items = items;
  }

  override fields(): [string, Module][] {
    return this.items.map((item, i) => [String(i), item]);
  }

  override forward(x: Tensor): Tensor {
    return this.items.reduce((value, item) => item.forward(value), x);
  }
}
