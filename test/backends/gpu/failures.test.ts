// What fails says what happened, poisons no more than it must, and the next choice of a backend works.

import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { Device } from "../../../engine/backends/gpu/device.ts";
import { type GpuBackend, gpuBackend } from "../../../engine/backends/gpu/index.ts";
import { loadLibrary } from "../../../engine/backends/gpu/library.ts";
import { openDevice } from "../../../engine/backends/gpu/open.ts";
import type { KernelSpec } from "../../../engine/backends/gpu/steps.ts";
import type { ScanKernel } from "../../../engine/compile/ir.ts";
import * as S from "../../../engine/index.ts";
import { runKernel } from "./harness.ts";
import { modes } from "./modes.ts";

afterAll(() => S.setBackend("reference"));
afterEach(() => {
  vi.restoreAllMocks();
});

const spec = (source: string): KernelSpec => ({
  ...{ source, helpers: [], output: [4], lanes: 1, arrays: [4], purpose: "a test" },
});

/** Makes sending this number to the device fail. */
function refuseToSend(number: number): void {
  const { upload } = Device.prototype;
  vi.spyOn(Device.prototype, "upload").mockImplementation(function (this: Device, values) {
    if (values.includes(number)) throw new Error(`a test refuses to send ${number}`);
    return upload.call(this, values);
  });
}

const run = async (device: Device, source: string) => device.call(spec(source), [new Float32Array(4)], []);

describe.each(modes)("mode %s", (mode) => {
  it("shows the source that does not compile", async () => {
    // gpu.js also prints what WebGPU says.
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const device = await openDevice(mode);
    await expect(run(device, "function kernel(a0) { return a0[this.thread.x] +; }")).rejects.toThrow(
      /failed at a test: (.|\n)*a0\[this\.thread\.x\] \+;/,
    );
    expect(await run(device, "function kernel(a0) { return a0[this.thread.x] + 1; }")).toBeDefined();
    device.close();
    quiet.mockRestore();
  });

  it("says that it is asynchronous, or is not", async () => {
    await S.setBackend("gpu", { mode });
    const x = S.tensor([1, 2]).mul(2);
    if (mode === "webgpu") expect(() => x.dataSync()).toThrow(/await t\.data\(\)/);
    else expect(Array.from(x.dataSync())).toEqual([2, 4]);
    expect(Array.from(await x.data())).toEqual([2, 4]);
  });

  it("passes a failed run on to what depends on it, and only to that", async () => {
    await S.setBackend("gpu", { mode });
    refuseToSend(99);
    const step = S.compile((x: S.Tensor) => S.add(x, 1));
    const attempt = async (x: number) => (await S.mul(step(S.tensor([x])), 2).data())[0];
    await expect(attempt(99)).rejects.toThrow(/refuses to send 99/);
    expect(await attempt(3)).toBe(8);
  });
});

describe.each(modes)("mode %s", (mode) => {
  it("leaves parameters as they were before steps that fail", async () => {
    await S.setBackend("gpu", { mode });
    const w = S.tensor([1, 2]);
    const step = S.compile((x: S.Tensor) => {
      S.assign(w, S.add(w, x));
      return S.sum(w);
    });
    refuseToSend(99);
    const one = S.tensor([1, 1]);
    const bad = S.tensor([99, 1]);
    expect((await step(one).data())[0]).toBe(5);
    // In the asynchronous mode both fail in the queue, the second because of the first.
    const attempt = async (x: S.Tensor) => step(x).data();
    const [first, second] = await Promise.allSettled([attempt(bad), attempt(bad)]);
    expect([first.status, second.status]).toEqual(["rejected", "rejected"]);
    expect(Array.from(await w.data())).toEqual([2, 3]);
    expect((await step(one).data())[0]).toBe(7);
  });
});

it.runIf(modes.includes("webgpu"))("two backends at once do not hear of each other's errors", async () => {
  const [one, other] = [await gpuBackend("webgpu"), await gpuBackend("webgpu")];
  const sum = (outer: number): ScanKernel => ({
    ...{ kind: "scan", fn: "sum", dtype: "f32", outer, length: 2, inner: 1, reverse: false, lag: false },
    args: [
      { dtype: "f32", mode: "read" },
      { dtype: "f32", mode: "write" },
    ],
  });
  const run = (backend: GpuBackend, outer: number) =>
    runKernel(backend, sum(outer), [new Float32Array(2 * outer).fill(1)], 2 * outer);
  const large = 2 ** 16;
  const native = (await (await loadLibrary()).WebGPUContext.acquire()).device as unknown as NativeBuffers;
  const create = native.createBuffer;
  // The device cannot make large buffers for now; it says so beside the calls.
  native.createBuffer = (options) =>
    create.call(native, options.size < large ? options : { ...options, size: native.limits.maxBufferSize + 4 });
  try {
    for (let round = 0; round < 5; round++) {
      const [failed, ...fine] = await Promise.allSettled([run(one, large), run(other, 3), run(other, 4), run(one, 5)]);
      expect(failed).toMatchObject({ status: "rejected", reason: expect.any(S.OutOfMemoryError) });
      expect(fine.map((each) => each.status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    }
  } finally {
    native.createBuffer = create;
  }
  await one.leave?.();
  await other.leave?.();
});

interface NativeBuffers {
  readonly limits: { readonly maxBufferSize: number };
  createBuffer(options: { readonly size: number; readonly usage: number }): unknown;
}

it.runIf(modes.includes("webgpu"))("survives the loss of the device", async () => {
  const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
  await S.setBackend("gpu", { mode: "webgpu" });
  const [read, unread] = [S.tensor([1, 2]).mul(3), S.tensor([1, 2]).mul(5)];
  await read.data();
  await unread.sum().data();
  // Every handle knows the device that all of gpu.js shares.
  const device = await openDevice("webgpu");
  const handle = (await device.upload(new Float32Array(4))) as { context?: { device: { destroy(): void } } };
  handle.context?.device.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await expect(unread.data()).rejects.toThrow(/device was lost/);
  await expect(read.add(1).data()).rejects.toThrow(/device was lost/);
  await S.setBackend("gpu", { mode: "webgpu" });
  expect(Array.from(await read.add(1).data())).toEqual([4, 7]);
  await expect(unread.data()).rejects.toThrow();
  await S.setBackend("wasm");
  expect(Array.from(read.add(1).dataSync())).toEqual([4, 7]);
  quiet.mockRestore();
});
