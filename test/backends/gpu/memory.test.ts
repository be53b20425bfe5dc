// Memory that cannot be had: an error that says what was needed, no zeros in its place, parameters as they were, and
// work that goes on when there is room again.

import { afterAll, describe, expect, it } from "vitest";
import { loadLibrary } from "../../../engine/backends/gpu/library.ts";
import * as S from "../../../engine/index.ts";
import { modes } from "./modes.ts";

afterAll(() => S.setBackend("reference"));

const large = 2 ** 20;

/** Adds to a parameter what takes a large array to compute. */
function setUp() {
  const w = S.tensor([1, 2]);
  const step = S.compile((x: S.Tensor) => {
    // A running sum is an array of its own, whatever is fused.
    const total = S.sum(S.cumsum(S.broadcastTo(x, [large]), 0));
    S.assign(w, S.add(w, S.mul(total, 0)));
    S.assign(w, S.add(w, x));
    return S.add(S.sum(w), S.mul(total, 0));
  });
  return { w, step };
}

/** Fails for want of memory as long as `shortage` lasts, and leaves no trace. */
async function survives(shortage: () => () => void, message: RegExp): Promise<void> {
  const { w, step } = setUp();
  const one = S.tensor([1]);
  await w.data();
  const end = shortage();
  try {
    const failed = await Promise.allSettled([1, 2].map(async () => step(one).data()));
    for (const result of failed) {
      const reason = result.status === "rejected" ? result.reason : undefined;
      expect(reason).toBeInstanceOf(S.OutOfMemoryError);
      expect(String(reason)).toMatch(message);
    }
    expect(Array.from(await w.data())).toEqual([1, 2]);
  } finally {
    end();
  }
  expect((await step(one).data())[0]).toBe(5);
  expect(Array.from(await w.data())).toEqual([2, 3]);
}

describe.each(modes)("mode %s", (mode) => {
  it("keeps the kernels of programs, and few others", { timeout: 60_000 }, async () => {
    await S.setBackend("gpu", { mode });
    const kept = S.compile((x: S.Tensor) => S.mul(S.cumsum(x, 0), 3));
    const x = S.tensor([1, 2, 3]);
    const alive = S.cumsum(S.tensor([1, 2, 3, 4]), 0);
    await Promise.all([kept(x).data(), alive.sum().data()]);
    const before = S.gpuInfo()?.kernels ?? 0;
    const { limit } = S.programCache.statistics;
    S.programCache.limit = 8;
    try {
      // Each length has a program of its own, and kernels that send and read it.
      for (let n = 5; n < 90; n++) expect((await S.cumsum(S.ones([n]), 0).data())[n - 1]).toBe(n);
    } finally {
      S.programCache.limit = limit;
    }
    expect(S.gpuInfo()?.kernels).toBeLessThan(before + 64 + 8 * 4 + 4);
    expect(Array.from(await alive.data())).toEqual([1, 3, 6, 10]);
    expect(Array.from(await kept(x).data())).toEqual([3, 9, 18]);
  });
});

interface Native {
  limits: Record<"maxBufferSize" | "maxStorageBufferBindingSize", number>;
  createBuffer(options: { size: number; usage: number }): unknown;
}

describe.runIf(modes.includes("webgpu"))("mode webgpu", () => {
  const native = async (): Promise<Native> =>
    (await (await loadLibrary()).WebGPUContext.acquire()).device as unknown as Native;

  it("hears of buffers that the device did not make", async () => {
    await S.setBackend("gpu", { mode: "webgpu" });
    const device = await native();
    const { createBuffer } = device;
    const shortage = () => {
      device.createBuffer = (options) => {
        const size = options.size < large ? options.size : device.limits.maxBufferSize + 4;
        return createBuffer.call(device, { ...options, size });
      };
      return () => {
        device.createBuffer = createBuffer;
      };
    };
    await survives(shortage, /no room for .*, beside \d+ bytes in \d+ buffers: .*Parameters are as they were/s);
  });

  it("says what a buffer needs and what the device allows", async () => {
    await S.setBackend("gpu", { mode: "webgpu" });
    const device = await native();
    const shortage = () => {
      const { limits } = device;
      const put = (value: Native["limits"]) => Object.defineProperty(device, "limits", { value, configurable: true });
      put({ maxBufferSize: large, maxStorageBufferBindingSize: large });
      return () => {
        put(limits);
      };
    };
    await survives(shortage, /with a result of 4194304 bytes.*needs 4194304 bytes but this device allows 1048576/s);
  });
});

it("says what webasm could not allocate", async () => {
  await S.setBackend("gpu", { mode: "webasm" });
  const { Memory } = WebAssembly;
  const shortage = () => {
    const refusing = function memory(options: { initial: number }) {
      if (options.initial * 65536 >= 4 * large) throw new RangeError("WebAssembly.Memory(): could not allocate memory");
      return new Memory(options);
    };
    Object.assign(WebAssembly, { Memory: refusing });
    return () => {
      Object.assign(WebAssembly, { Memory });
    };
  };
  await survives(shortage, /no room for .* with a result of 4194304 bytes, beside \d+ bytes.*could not allocate/s);
});
