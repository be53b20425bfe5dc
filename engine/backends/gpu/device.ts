// One gpu.js instance: kernels by source, calls, uploads, readbacks, and errors that say what was being done.

import { OutOfMemoryError, SluiceError } from "../../errors.ts";
import type { TileStyle } from "./contract.ts";
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
  /** Kernels built, kernel calls, arrays sent to the device and read from it, since the backend was chosen. */
  readonly kernels: number;
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

export class Device {
  readonly mode: Mode;
  readonly synchronous: boolean;
  readonly tiles: TileStyle;
  readonly maxArrays: number;
  readonly #library: GpuLibrary;
  readonly #gpu: GpuInstance;
  readonly #kernels = new Map<string, GpuKernel>();
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
    return this.#native === undefined ? job() : this.#inScope(this.#native, job);
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
    return this.#run(spec, true, [...arrays, ...scalars], (result) => this.#made(this.#shaped(spec, result)));
  }

  /** Values of the host as a buffer of the device. The modes that run on the CPU use the array itself. */
  upload(values: Float32Array): Handle | Promise<Handle> {
    this.#counts.uploads += 1;
    if (this.mode === "cpu" || this.mode === "webasm") return this.#made(values);
    return this.#run(copying(values.length, "an upload"), true, [values], (result) => this.#made(result));
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
    return this.#run(
      copying(length, "a readback"),
      false,
      [handle],
      (values) => values as Float32Array,
    ) as Float32Array;
  }

  #made(handle: Handle): Handle {
    this.#counts.buffers += 1;
    this.#counts.bytes += bytesOf(handle);
    return handle;
  }

  drop(handle: Handle): void {
    this.#counts.buffers -= 1;
    this.#counts.bytes -= bytesOf(handle);
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
      // gpu.js keeps a kernel whose first call failed as it is, for good.
      this.#kernels.delete(keyOf(spec, pipeline));
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
    const key = keyOf(spec, pipeline);
    const known = this.#kernels.get(key);
    if (known !== undefined) return known;
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
    this.#kernels.set(key, kernel);
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
    const text = cause instanceof Error ? cause.message : String(cause);
    const where = `gpu.js (${this.mode}, ${this.#adapter})`;
    if (/lost|destroyed|different WebGPU device/i.test(text) || text === "") {
      return new SluiceError(
        "gpu",
        `the device was lost during ${purpose}: ${text || "no reason given"}. Tensors that were read keep their values; ` +
          'call setBackend("gpu") to start again, or another backend',
        { cause },
      );
    }
    if (/out of memory|too large|larger than|exceeds|maxBufferSize|allocate/i.test(text)) {
      const { buffers, bytes } = this.#counts;
      const size = spec === undefined ? "" : ` with a result of ${4 * spec.lanes * product(spec.output)} bytes`;
      return new OutOfMemoryError(
        "gpu",
        `${where} has no room for ${purpose}${size}, beside ${bytes} bytes in ${buffers} buffers: ${text}. ` +
          "Parameters are as they were before the step",
        { cause },
      );
    }
    const source = spec === undefined ? "" : `\n${spec.source}`;
    return new SluiceError("gpu", `${where} failed at ${purpose}: ${text}${source}`, { cause });
  }
}

const keyOf = ({ output, arrays, source }: KernelSpec, pipeline: boolean): string =>
  `${pipeline}|${output}|${arrays}|${source}`;
const product = (sides: readonly number[]): number => sides.reduce((n, side) => n * side, 1);
const bytesOf = (handle: Handle): number =>
  handle instanceof Float32Array ? handle.byteLength : 4 * product(handle.output);

const copying = (length: number, purpose: string): KernelSpec => ({
  source: "function kernel(a0) {\n  return a0[this.thread.x];\n}",
  ...{ helpers: [], output: [length], lanes: 1, arrays: [length], purpose },
});
