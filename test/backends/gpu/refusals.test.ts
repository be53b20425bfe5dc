// A backend that cannot be had, or cannot do what is asked, says what is missing and what to do; the one before goes on.

import { afterAll, afterEach, expect, it, vi } from "vitest";
import { maxElements } from "../../../engine/backends/gpu/writer.ts";
import * as S from "../../../engine/index.ts";

afterEach(() => {
  vi.doUnmock("gpu.js");
  vi.doUnmock("webgpu");
  vi.unstubAllGlobals();
});
afterAll(() => S.setBackend("reference"));

const goesOn = () => expect(S.tensor([1, 2]).add(1).toArray()).toEqual([2, 3]);

it("names the package to install where gpu.js is not", async () => {
  vi.doMock("gpu.js", () => {
    throw new Error("Cannot find package 'gpu.js'");
  });
  await expect(S.setBackend("gpu", { mode: "cpu" })).rejects.toThrow(/needs the package gpu\.js: npm install gpu\.js/);
  goesOn();
});

it("says that there is no adapter, and that this browser has no WebGPU", async () => {
  vi.stubGlobal("navigator", { gpu: { requestAdapter: async () => null } });
  await expect(S.setBackend("gpu", { mode: "webgpu" })).rejects.toThrow(/no mode "webgpu": WebGPU found no adapter/);
  await expect(S.setBackend("gpu")).rejects.toThrow(/no GPU was found; tried .*no adapter.*webgl2.*"wasm"/s);
  vi.stubGlobal("navigator", {});
  vi.stubGlobal("process", { ...process, versions: {} });
  await expect(S.setBackend("gpu", { mode: "webgpu" })).rejects.toThrow(/no WebGPU \(navigator\.gpu is missing/);
  vi.unstubAllGlobals();
  goesOn();
});

it("lists the modes where one is unknown", async () => {
  await expect(S.setBackend("gpu", { mode: "metal" as "cpu" })).rejects.toThrow(
    /unknown mode "metal"; there are auto, webgpu, webgl2, webgl, webasm, cpu/,
  );
  goesOn();
});

it("refuses f64 and large tensors", async () => {
  await S.setBackend("gpu", { mode: "webasm" });
  const reading = async (x: () => S.Tensor) => x().data();
  await expect(reading(() => S.tensor([1], { dtype: "f64" }).add(1))).rejects.toThrow(
    /no f64 on this backend; cast to f32, or use the wasm backend/,
  );
  await expect(reading(() => S.zeros([maxElements + 1]).add(1))).rejects.toThrow(
    /a tensor of 16777217 elements is too large: .*16777216/,
  );
  await expect(
    reading(() => S.zeros([maxElements / 2 + 1], { dtype: "i32" }).add(S.tensor([2 ** 25], { dtype: "i32" }))),
  ).rejects.toThrow(/a tensor of 8388609 whole numbers, two floats each, is too large: .*16777216/);
  goesOn();
});
