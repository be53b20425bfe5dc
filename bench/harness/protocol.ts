// What the benchmark and the processes it measures say to each other: JSON lines over one socket (descriptor 3).

/** How to make one input: a counter-based hash of `seed`, so that every process, in any language, has the same values. */
export interface InputSpec {
  readonly shape: readonly number[];
  /** f32: uniform in [low, high); i32: whole numbers from low to high - 1. */
  readonly dtype: "f32" | "i32";
  readonly low: number;
  readonly high: number;
  readonly seed: number;
}

export type Parameter = number | string | boolean;

/** One line of the results: plain data, the same for every implementation. */
export interface Workload {
  readonly id: string;
  /** The operation an implementation looks up; what varies between workloads of one operation is in `params`. */
  readonly op: string;
  readonly params: Readonly<Record<string, Parameter>>;
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** The work of one run, for the fraction of the machine's ceiling: whichever is given. */
  readonly flop?: number;
  /** Bytes that must be read and written at least. */
  readonly bytes?: number;
  /** Results agree where |a - b| <= tolerance * max(1, |a|, |b|). */
  readonly tolerance: number;
  /** How many equal parts one run has (kernels of a chain): times are shown for one part. */
  readonly parts?: number;
  /** Measured once instead of timed: `measure` names what comes out, with its unit. */
  readonly measures?: readonly string[];
}

/** Workloads that share a process: what ran before in it is warm. */
export interface Group {
  readonly name: string;
  readonly workloads: readonly Workload[];
  /** Each workload gets a process of its own, so that its first call is a first call. */
  readonly fresh?: boolean;
}

export type Request =
  | { readonly do: "prepare"; readonly workload: Workload }
  /** Runs for about `ms` milliseconds (once at least), after one run that does not count. */
  | { readonly do: "turn"; readonly ms: number }
  | { readonly do: "measure" }
  | { readonly do: "release" };

export type Reply =
  /** The implementation and its version, said once at the start. */
  | { readonly is: "hello"; readonly version: string }
  /** `result` is base64 of f32 values; `first` is the first call, building included, in ms. */
  | { readonly is: "ready"; readonly first: number; readonly result: string }
  | { readonly is: "unsupported" }
  | { readonly is: "failed"; readonly reason: string }
  /** Milliseconds of one run each. */
  | { readonly is: "times"; readonly samples: readonly number[] }
  | { readonly is: "measured"; readonly values: Readonly<Record<string, number>> }
  | { readonly is: "released" };

/** A workload as an implementation has built it. */
export interface Job {
  /** One run; when it returns (or its promise resolves) the values have been computed. */
  readonly run: () => unknown;
  /** Whether `run` returns promises. */
  readonly async?: boolean;
  /** All values of the run, read, one after the other; of training steps: the losses of the first three. */
  readonly result: () => ArrayLike<number> | Promise<ArrayLike<number>>;
  readonly measure?: () => Promise<Readonly<Record<string, number>>>;
  readonly release?: () => void;
}

export type Params = Workload["params"];
/** Host values by name. */
export type Inputs = Readonly<Record<string, HostInput>>;
export interface HostInput {
  readonly shape: number[];
  /** f64: only where an implementation turns inputs into it. */
  readonly dtype: InputSpec["dtype"] | "f64";
  readonly data: Float32Array | Int32Array | Float64Array;
}
/** Undefined: the implementation does not offer it. */
export type Build = (inputs: Inputs, params: Params) => Job | undefined | Promise<Job | undefined>;
export type Builders = Readonly<Record<string, Build>>;

export const numberOf = (params: Params, key: string): number => params[key] as number;
