// The backend on gpu.js: programs as chained kernels whose values stay on the device until someone reads them.

import { compileGraph } from "../../compile/index.ts";
import type { Program } from "../../compile/ir.ts";
import type { Storage } from "../../graph/storage.ts";
import type { Backend } from "../backend.ts";
import type { Device, GpuInfo } from "./device.ts";
import { GpuExecutable } from "./executable.ts";
import { Cell, Queue } from "./memory.ts";
import { type GpuMode, openDevice } from "./open.ts";
import { planProgram } from "./program.ts";

export type { GpuInfo } from "./device.ts";
export type { GpuMode } from "./open.ts";

export interface GpuBackend extends Backend {
  readonly info: GpuInfo;
  /** An executable of a program that is compiled already. */
  instantiate(program: Program): GpuExecutable;
}

/**
 * Opens a device of gpu.js. "auto" takes a real GPU through WebGPU or WebGL2, or refuses and says what it tried; the
 * other modes are taken at their word.
 */
export async function gpuBackend(mode: GpuMode = "auto"): Promise<GpuBackend> {
  return onDevice(await openDevice(mode));
}

/** The backend of a device. */
export function onDevice(device: Device): GpuBackend {
  const queue = new Queue(device);
  const residents = new Set<WeakRef<Storage>>();
  const swept = new FinalizationRegistry<WeakRef<Storage>>((ref) => residents.delete(ref));
  const resident = (storage: Storage): void => {
    if (known.has(storage)) return;
    known.add(storage);
    const ref = new WeakRef(storage);
    residents.add(ref);
    swept.register(storage, ref);
  };
  const target = { columnSums: false, epilogue: () => true };
  const known = new WeakSet<Storage>();
  const instantiate = (program: Program): GpuExecutable =>
    new GpuExecutable(queue, planProgram(program, { maxArrays: device.maxArrays, tiles: device.tiles }), resident);
  return {
    name: "gpu",
    synchronous: device.synchronous,
    get threads() {
      return 1;
    },
    set threads(_wanted) {
      // The device schedules itself.
    },
    get info() {
      return device.info;
    },
    instantiate,
    prepare: (graph) => instantiate(compileGraph(graph, { target })),
    async leave() {
      for (const ref of residents) {
        const storage = ref.deref();
        if (storage === undefined || !(storage.device instanceof Cell) || storage.host !== undefined) continue;
        try {
          storage.host = await storage.device.read();
        } catch {
          // The device is gone, and these values with it; whoever reads them hears why.
        }
      }
      device.close();
    },
  };
}
