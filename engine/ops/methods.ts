// The operations as methods of Tensor. One table gives the methods, their types and their docstrings: every function
// of these modules takes a tensor first.

import { Tensor } from "../tensor.ts";
import * as activations from "./activations.ts";
import * as attention from "./attention.ts";
import * as conv from "./conv.ts";
import * as counting from "./counting.ts";
import * as cumulative from "./cumulative.ts";
import * as elementwise from "./elementwise.ts";
import * as fft from "./fft.ts";
import * as grouped from "./grouped.ts";
import * as indexing from "./indexing.ts";
import * as linalg from "./linalg.ts";
import * as movement from "./movement.ts";
import * as normalize from "./normalize.ts";
import * as pool from "./pool.ts";
import * as reduce from "./reduce.ts";
import * as slicing from "./slicing.ts";
import * as sorting from "./sorting.ts";

/** Modules whose functions are methods. */
const modules = [
  elementwise,
  activations,
  reduce,
  movement,
  slicing,
  linalg,
  normalize,
  attention,
  indexing,
  sorting,
  counting,
  grouped,
  conv,
  pool,
  cumulative,
  fft,
  // A function cannot be called `var`, a method can.
  { var: reduce.variance },
] as const;

type Together<Union> = (Union extends unknown ? (x: Union) => void : never) extends (x: infer All) => void
  ? All
  : never;

/** Every operation that is a method, by name. Typed by its modules, so that docstrings survive in declaration files. */
export const methods: Together<(typeof modules)[number]> = Object.assign({}, ...modules);

/** A function of a tensor and more, as a method of that tensor. */
type Method<F> = F extends (x: Tensor, ...rest: infer Rest) => infer Result ? (...rest: Rest) => Result : never;

/** The methods the operations add to Tensor. */
export type TensorMethods = { [Name in keyof typeof methods]: Method<(typeof methods)[Name]> };

declare module "../tensor.ts" {
  interface Tensor extends TensorMethods {}
}

for (const [name, operation] of Object.entries(methods)) {
  const call = operation as (x: Tensor, ...rest: unknown[]) => unknown;
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return call(this, ...rest);
    },
    configurable: true,
    writable: true,
  });
}
