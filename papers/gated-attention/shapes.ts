// Named shapes: a model's parameters as data, so that one too big to make can still be counted.

import type { Shape } from "../../engine/index.ts";

/** The shapes of named parameters. */
export type NamedShapes = Readonly<Record<string, Shape>>;

/** Names below a module called `prefix`. */
export const prefixed = (prefix: string, shapes: NamedShapes): Record<string, Shape> =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [`${prefix}.${name}`, shape]));
