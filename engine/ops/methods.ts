// The operations as methods of Tensor. One table gives the methods, their types and their docstrings: every function
// of these modules takes a tensor first.

import { Tensor } from "../tensor.ts";
import * as activations from "./activations.ts";
import * as attention from "./attention.ts";
import * as cumulative from "./cumulative.ts";
import * as conv from "./conv.ts";
import * as elementwise from "./elementwise.ts";
import * as grouped from "./grouped.ts";
import * as indexing from "./indexing.ts";
import * as linalg from "./linalg.ts";
import * as movement from "./movement.ts";
import * as normalize from "./normalize.ts";
import * as pool from "./pool.ts";
import * as reduce from "./reduce.ts";
import * as slicing from "./slicing.ts";
import * as sorting from "./sorting.ts";

/** Every operation that is a method, by name. */
export const methods = {
  ...elementwise,
  ...activations,
  ...reduce,
  // A function cannot be called `var`, a method can.
  var: reduce.variance,
  ...movement,
  ...slicing,
  ...linalg,
  ...normalize,
  ...attention,
  ...indexing,
  ...sorting,
  ...grouped,
  ...conv,
  ...pool,
  ...cumulative,
};

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
