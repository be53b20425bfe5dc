// gpu.js as this backend sees it: the few types it needs (the package's own leave half of them out), and how it is loaded.

import { ArgumentError } from "../../errors.ts";

/** Modes of gpu.js. "webgpu" is asynchronous, the others are not. */
export const modes = ["webgpu", "webgl2", "webgl", "webasm", "cpu"] as const;
export type Mode = (typeof modes)[number];

/** What a kernel with `pipeline` returns: a buffer on the device; a plain array in the modes that run on the CPU. */
export type Handle = Float32Array | DeviceHandle;

export interface DeviceHandle {
  toArray(): Float32Array | Promise<Float32Array>;
  delete(): void;
  readonly output: readonly number[];
  /** WebGPU: what a handle of other dimensions over the same memory is made of. */
  readonly buffer?: unknown;
  readonly context?: unknown;
  readonly kernel?: unknown;
}

export interface KernelSettings {
  readonly output: readonly number[];
  readonly pipeline: boolean;
  readonly immutable: boolean;
  readonly precision: "single";
  readonly tactic: "precision";
  readonly loopMaxIterations: number;
  readonly functions: readonly string[];
}

export interface GpuKernel {
  (...args: readonly (Handle | number)[]): Handle | Promise<Handle>;
  destroy(): void;
  /** The object behind the function: which class runs it, and how a mode shapes results. */
  readonly kernel: {
    readonly constructor: { readonly mode?: string };
    readonly fallbackReason?: unknown;
    _shapeOutput?: (data: Float32Array) => Float32Array;
  };
}

export interface GpuInstance {
  /** WebGL's, once there is a kernel. */
  readonly context?: GlContext | null;
  createKernel(source: string, settings: KernelSettings): GpuKernel;
  destroy(): Promise<void> | void;
}

/** The part of a WebGL context that says what went wrong: calls go on, and give zeros. */
export interface GlContext {
  isContextLost(): boolean;
  /** 0, or the number of an error since the last time. */
  getError(): number;
}

/** The part of a WebGPU device that says what went wrong: its errors are otherwise only printed. */
export interface NativeDevice {
  pushErrorScope(filter: "validation" | "out-of-memory"): void;
  popErrorScope(): Promise<{ readonly message: string } | null>;
}

export interface GpuLibrary {
  readonly GPU: {
    new (settings: { mode: string }): GpuInstance;
    readonly isWebGL2Supported: boolean;
    readonly isWebGLSupported: boolean;
  };
  /** The WebGPU device, one for all instances. */
  readonly WebGPUContext: { acquire(): Promise<{ readonly device: NativeDevice }> };
  /** A handle on (part of) a buffer of the device, with dimensions of our choice. */
  readonly WebGPUBufferResult: new (settings: {
    buffer: unknown;
    output: readonly number[];
    componentCount: number;
    context: unknown;
    kernel: unknown;
  }) => DeviceHandle;
}

/** Loads gpu.js; the engine works without it until someone chooses this backend. */
export async function loadLibrary(): Promise<GpuLibrary> {
  try {
    const loaded = (await import("gpu.js")) as unknown as GpuLibrary & { default?: GpuLibrary };
    // Which of the two has the names depends on who loads it: Node, or a bundler's idea of CommonJS.
    return loaded.GPU === undefined && loaded.default !== undefined ? loaded.default : loaded;
  } catch (cause) {
    throw new ArgumentError("setBackend", 'the backend "gpu" needs the package gpu.js: npm install gpu.js', { cause });
  }
}

/** The part of WebGPU that says what there is. */
export interface Adapter {
  readonly info?: {
    readonly vendor?: string;
    readonly architecture?: string;
    readonly device?: string;
    readonly description?: string;
    readonly isFallbackAdapter?: boolean;
  };
  readonly isFallbackAdapter?: boolean;
  readonly limits: { readonly maxBufferSize: number; readonly maxStorageBufferBindingSize: number };
}

interface WebGpu {
  requestAdapter(): Promise<Adapter | null>;
}

const hostGpu = (): WebGpu | undefined => (globalThis as { navigator?: { gpu?: WebGpu } }).navigator?.gpu;

/** Puts WebGPU where gpu.js looks for it: a browser has it, Node gets it from the package `webgpu`. */
async function provideWebGpu(): Promise<WebGpu | string> {
  const known = hostGpu();
  if (known !== undefined) return known;
  if ((globalThis as { process?: { versions?: { node?: string } } }).process?.versions?.node === undefined) {
    return "this browser has no WebGPU (navigator.gpu is missing; is the page served over https or from localhost?)";
  }
  let native: { create(options: string[]): WebGpu; globals: Record<string, unknown> };
  try {
    // Named by a variable: a bundler for browsers must not look into a package for Node.
    const name = "webgpu";
    native = (await import(/* @vite-ignore */ name)) as typeof native;
  } catch {
    return "the package webgpu is not installed or does not load here: npm install webgpu";
  }
  const gpu = native.create([]);
  Object.assign(globalThis, native.globals);
  const { navigator } = globalThis as { navigator?: object };
  if (navigator === undefined) Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });
  else Object.defineProperty(navigator, "gpu", { value: gpu, configurable: true });
  return gpu;
}

/** The adapter WebGPU would run on, or why there is none. */
export async function findAdapter(): Promise<Adapter | string> {
  const gpu = await provideWebGpu();
  if (typeof gpu === "string") return gpu;
  const adapter = await gpu.requestAdapter();
  return adapter ?? "WebGPU found no adapter (no GPU, or no driver that it can use)";
}

/** Whether an adapter computes on the CPU. */
export const isSoftware = (adapter: Adapter): boolean =>
  adapter.isFallbackAdapter === true ||
  adapter.info?.isFallbackAdapter === true ||
  /swiftshader|llvmpipe|lavapipe|software/i.test(`${adapter.info?.architecture} ${adapter.info?.description}`);
