// Which device a mode means, and why there is none: adapters are asked, and nothing is chosen that nobody asked for.

import { ArgumentError } from "../../errors.ts";
import { Device } from "./device.ts";
import { type Adapter, findAdapter, type GpuLibrary, isSoftware, loadLibrary, type Mode, modes } from "./library.ts";

export type GpuMode = "auto" | Mode;

/** Makes the device of a mode; "auto" takes a real GPU or refuses. */
export async function openDevice(mode: GpuMode): Promise<Device> {
  if (mode !== "auto" && !modes.includes(mode)) {
    throw new ArgumentError("setBackend", `unknown mode "${mode}"; there are auto, ${modes.join(", ")}`);
  }
  const library = await loadLibrary();
  if (mode === "auto") return openReal(library);
  return openMode(library, mode);
}

async function openMode(library: GpuLibrary, mode: Mode): Promise<Device> {
  if (mode === "webgpu") {
    const adapter = await findAdapter();
    if (typeof adapter === "string") throw new ArgumentError("setBackend", `no mode "webgpu": ${adapter}`);
    const { device } = await library.WebGPUContext.acquire();
    return new Device(library, mode, describe(adapter), isSoftware(adapter), device);
  }
  if (mode === "cpu" || mode === "webasm") return new Device(library, mode, "CPU", true);
  const { GPU } = library;
  if (!(mode === "webgl2" ? GPU.isWebGL2Supported : GPU.isWebGLSupported)) {
    throw new ArgumentError("setBackend", `no mode "${mode}": there is none here (it takes a browser)`);
  }
  const renderer = webGlRenderer(mode);
  return new Device(library, mode, renderer, softwareRenderer(renderer));
}

async function openReal(library: GpuLibrary): Promise<Device> {
  const tried: string[] = [];
  for (const mode of ["webgpu", "webgl2"] as const) {
    try {
      const device = await openMode(library, mode);
      if (!device.info.software) return device;
      tried.push(`${mode}: ${device.info.adapter} is a software adapter (ask for mode "${mode}" to use it)`);
      device.close();
    } catch (error) {
      tried.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new ArgumentError(
    "setBackend",
    `no GPU was found; tried ${tried.join("; ")}. The default backend "wasm" is the fast one without a GPU`,
  );
}

const describe = ({ info }: Adapter): string =>
  [info?.vendor, info?.architecture, info?.device, info?.description].filter((part) => part).join(" ") || "unnamed";

const softwareRenderer = (name: string): boolean => /swiftshader|llvmpipe|software|basic render/i.test(name);

interface DebugInfo {
  readonly UNMASKED_RENDERER_WEBGL: number;
}
interface WebGl {
  getExtension(name: string): DebugInfo | null;
  getParameter(name: number): unknown;
}

function webGlRenderer(mode: string): string {
  const { OffscreenCanvas: Canvas } = globalThis as {
    OffscreenCanvas?: new (w: number, h: number) => { getContext(kind: string): WebGl | null };
  };
  const gl = Canvas === undefined ? null : new Canvas(1, 1).getContext(mode);
  const extension = gl?.getExtension("WEBGL_debug_renderer_info");
  return gl && extension ? String(gl.getParameter(extension.UNMASKED_RENDERER_WEBGL)) : "unnamed";
}
