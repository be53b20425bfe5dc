// What the compiler must know of the backend that it compiles for.

/** What the kernels of a backend can do. */
export interface Target {
  /** Row kernels may add up their rows, in parts: stores with `add`. */
  readonly columnSums: boolean;
}
