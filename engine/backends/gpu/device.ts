// One gpu.js instance: kernels by source, calls, uploads, readbacks, and errors that say what was being done.

import { SluiceError } from "../../errors.ts";
import type { TileStyle } from "./contract.ts";
import { failureOf, glErrors } from "./failure.ts";
import { Kernels } from "./kernels.ts";
import type { DeviceHandle, GpuInstance, GpuKernel, GpuLibrary, Handle, Mode, NativeDevice } from "./library.ts";
import type { KernelSpec } from "./steps.ts";
import { maxElements } from "./writer.ts";

/** What runs, on what, and how often. */
export interface GpuInfo {
  /** The mode of gpu.js that really runs. */
  readonly mode: Mode;
  /** The adapter's own words; "CPU" for modes without one. */
  readonly adapter: string;
  /** Whether a processor, not a GPU, does the work. */
  readonly software: boolean;
  /** Array arguments of one kernel; more are packed. */
  readonly maxArrays: number;
  /** Elements of one tensor; half as many where they are i32 of any size. */
  readonly maxElements: number;
  /** Buffers that are alive on the device; in the modes that run on the CPU, arrays in use. */
  readonly buffers: number;
  /** What these take together. */
  readonly bytes: number;
  /** Kernels that are built and kept. */
  readonly kernels: number;
  /** Kernel calls, arrays sent to the device and read from it, since the backend was chosen. */
  readonly launches: number;
  readonly uploads: number;
  readonly readbacks: number;
}

/** Array arguments: WebGPU's 8 storage buffers less the result; texture units that WebGL guarantees, likewise. */
const maxArrays: Record<Mode, number> = { webgpu: 7, webgl2: 15, webgl: 7, webasm: 32, cpu: 32 };
/** Tiles only where the packed result of four values a thread can feed another kernel, see `Device.#shaped`. */
const tileStyles: Record<Mode, TileStyle> = {
  ...{ webgpu: "integer", webgl2: "integer", webasm: "float", webgl: "none", cpu: "none" },
};
/** Beyond every loop that is written: gpu.js cuts longer ones without a word. */
const loopMaxIterations = 2 ** 30;

/** Jobs of one after the other. */
interface Lane {
  tail: Promise<unknown>;
}

/** Instances share the native device, whose error scopes are one stack: so their jobs take turns. */
const lanes = new WeakMap<object, Lane>();

function laneOf(native: object): Lane {
  const lane = lanes.get(native) ?? { tail: Promise.resolve() };
  lanes.set(native, lane);
  return lane;
}

export class Device {
  readonly mode: Mode;
  readonly synchronous: boolean;
  readonly tiles: TileStyle;
  readonly maxArrays: number;
  /** Where asynchronous jobs wait for each other. */
  readonly lane: Lane;
  readonly #library: GpuLibrary;
  readonly #gpu: GpuInstance;
  readonly #kernels = new Kernels();
  readonly #adapter: string;
  readonly #software: boolean;
  readonly #native: NativeDevice | undefined;
  readonly #counts = { buffers: 0, bytes: 0, launches: 0, uploads: 0, readbacks: 0 };

  constructor(library: GpuLibrary, mode: Mode, adapter: string, software: boolean, native?: NativeDevice) {
    this.#library = library;
    this.mode = mode;
    this.synchronous = mode !== "webgpu";
    this.tiles = tileStyles[mode];
    this.maxArrays = maxArrays[mode];
    this.#adapter = adapter;
    this.#software = software;
    this.#native = native;
    this.lane = laneOf(native ?? this);
    this.#gpu = new library.GPU({ mode });
  }

  get info(): GpuInfo {
    return {
      ...{ mode: this.mode, adapter: this.#adapter, software: this.#software },
      ...{ maxArrays: this.maxArrays, maxElements, kernels: this.#kernels.size, ...this.#counts },
    };
  }

  /**
   * Runs a job and waits until the device has taken all of it. WebGPU tells of memory that could not be had beside the
   * calls, which succeed and leave zeros.
   */
  guarded(job: () => void | Promise<void>): void | Promise<void> {
    if (this.#native !== undefined) return this.#inScope(this.#native, job);
    const running = job();
    this.#checkContext("a run");
    return running;
  }

  /** WebGL tells of a lost context and of missing memory only who asks; what it computes then is zeros. */
  #checkContext(purpose: string): void {
    const { context } = this.#gpu;
    if (!this.mode.startsWith("webgl") || !context) return;
    const lost = context.isContextLost();
    const error = lost ? 0 : context.getError();
    if (!lost && error === 0) return;
    // A kernel may keep the texture that it did not get.
    this.#kernels.clear();
    throw this.#failure(purpose, new Error(glErrors[error] ?? `WebGL error ${error}`));
  }

  async #inScope(native: NativeDevice, job: () => void | Promise<void>): Promise<void> {
    native.pushErrorScope("validation");
    native.pushErrorScope("out-of-memory");
    let thrown: { readonly cause: unknown } | undefined;
    try {
      await job();
    } catch (cause) {
      thrown = { cause };
    }
    const found = await Promise.all([native.popErrorScope(), native.popErrorScope()]).catch((cause: unknown) => {
      thrown ??= { cause: this.#failure("a run", cause) };
      return [];
    });
    const error = found.find((each) => each !== null);
    if (error) {
      // A kernel may keep the buffer that it did not get.
      this.#kernels.clear();
      throw this.#failure("a run", new Error(error.message));
    }
    if (thrown !== undefined) throw thrown.cause;
  }

  /** Runs a kernel into a new buffer. */
  call(spec: KernelSpec, arrays: readonly Handle[], scalars: readonly number[]): Handle | Promise<Handle> {
    this.#counts.launches += 1;
    return this.#run(spec, true, [...arrays, ...scalars], (result) => this.#made(this.#shaped(spec, result), spec));
  }

  /** Values of the host as a buffer of the device. The modes that run on the CPU use the array itself. */
  upload(values: Float32Array): Handle | Promise<Handle> {
    this.#counts.uploads += 1;
    if (this.mode === "cpu" || this.mode === "webasm") return this.#made(values);
    const spec = copying(values.length, "an upload");
    return this.#run(spec, true, [values], (result) => this.#made(result, spec));
  }

  read(handle: Handle, length: number): Float32Array | Promise<Float32Array> {
    this.#counts.readbacks += 1;
    if (handle instanceof Float32Array) return handle;
    if (this.mode === "webgpu") {
      return Promise.resolve(handle.toArray()).catch((cause: unknown) => {
        throw this.#failure("a readback", cause);
      });
    }
    // WebGL reads four channels from a handle; a kernel that returns its values reads one.
    return this.#run(copying(length, "a readback"), false, [handle], (values) => {
      this.#checkContext("a readback");
      return values as Float32Array;
    }) as Float32Array;
  }

  /** The kernels of a program that may run from now on; `release` when it won't any more. */
  retain(specs: Iterable<KernelSpec>): void {
    this.#kernels.retain(keysOf(specs));
  }

  release(specs: Iterable<KernelSpec>): void {
    this.#kernels.release(keysOf(specs));
  }

  #made(handle: Handle, spec?: KernelSpec): Handle {
    // WebGL frees a result through its kernel: that has to be there.
    if (spec !== undefined && this.mode.startsWith("webgl")) this.#kernels.made(keyOf(spec, true), handle);
    this.#counts.buffers += 1;
    this.#counts.bytes += bytesOf(handle);
    return handle;
  }

  drop(handle: Handle): void {
    this.#counts.buffers -= 1;
    this.#counts.bytes -= bytesOf(handle);
    this.#kernels.dropped(handle);
    if (!(handle instanceof Float32Array)) handle.delete();
  }

  close(): void {
    this.#kernels.clear();
    void this.#gpu.destroy();
  }

  #run<T>(
    spec: KernelSpec,
    pipeline: boolean,
    args: readonly (Handle | number)[],
    then: (result: Handle) => T,
  ): T | Promise<T> {
    const failed = (cause: unknown): never => {
      this.#kernels.forget(keyOf(spec, pipeline));
      throw cause instanceof SluiceError ? cause : this.#failure(spec.purpose, cause, spec);
    };
    try {
      const kernel = this.#kernel(spec, pipeline);
      const result = kernel(...args);
      this.#checkMode(kernel);
      return result instanceof Promise ? result.then(then, failed) : then(result);
    } catch (cause) {
      return failed(cause);
    }
  }

  #kernel(spec: KernelSpec, pipeline: boolean): GpuKernel {
    return this.#kernels.get(keyOf(spec, pipeline), () => this.#build(spec, pipeline));
  }

  #build(spec: KernelSpec, pipeline: boolean): GpuKernel {
    const kernel = this.#gpu.createKernel(spec.source, {
      output: spec.output,
      pipeline,
      immutable: pipeline,
      precision: "single",
      tactic: "precision",
      loopMaxIterations,
      functions: spec.helpers,
    });
    // Four values a thread leave packed, not as an array of arrays.
    if (this.mode === "webasm" && spec.lanes === 4) kernel.kernel._shapeOutput = (data) => data;
    return kernel;
  }

  /** gpu.js turns to its CPU mode by itself when it cannot compile; nobody asked for that. */
  #checkMode({ kernel }: GpuKernel): void {
    const { mode } = kernel.constructor;
    const wanted = this.mode.startsWith("webgl") ? "gpu" : this.mode;
    if (mode === wanted) return;
    throw new SluiceError("gpu", `gpu.js fell from mode "${this.mode}" to "${mode}": ${kernel.fallbackReason}`);
  }

  /** The packed result of a kernel that returns four values a thread, as the flat array it is in memory. */
  #shaped(spec: KernelSpec, result: Handle): Handle {
    if (spec.lanes === 1 || result instanceof Float32Array) return result;
    const length = 4 * product(spec.output);
    if (this.mode === "webgpu") {
      const { buffer, context, kernel } = result;
      const flat = new this.#library.WebGPUBufferResult({
        ...{ buffer, context, kernel },
        ...{ output: [length], componentCount: 1 },
      });
      result.delete();
      return flat;
    }
    return Object.assign(Object.create(result) as DeviceHandle, {
      ...{ type: "MemoryOptimizedNumberTexture", dimensions: [length, 1, 1], output: [length] },
    });
  }

  #failure(purpose: string, cause: unknown, spec?: KernelSpec): SluiceError {
    // Without its context, WebGL fails at whatever is tried first.
    const lost = this.#gpu.context?.isContextLost?.() === true ? "the WebGL context is lost" : undefined;
    const text = lost ?? (cause instanceof Error ? cause.message : String(cause));
    const { output, lanes, source } = spec ?? {};
    return failureOf(text, {
      ...{ purpose, cause, where: `gpu.js (${this.mode}, ${this.#adapter})`, counts: this.#counts },
      ...(output && { result: 4 * (lanes ?? 1) * product(output), source }),
    });
  }
}

const keyOf = ({ output, arrays, source }: KernelSpec, pipeline: boolean): string =>
  `${pipeline}|${output}|${arrays}|${source}`;
const keysOf = (specs: Iterable<KernelSpec>): Set<string> => new Set(Array.from(specs, (spec) => keyOf(spec, true)));
const product = (sides: readonly number[]): number => sides.reduce((n, side) => n * side, 1);
const bytesOf = (handle: Handle): number =>
  handle instanceof Float32Array ? handle.byteLength : 4 * product(handle.output);

const copying = (length: number, purpose: string): KernelSpec => ({
  source: "function kernel(a0) {\n  return a0[this.thread.x];\n}",
  ...{ helpers: [], output: [length], lanes: 1, arrays: [length], purpose },
});
