// The engine in a real browser: the conformance page, built by Vite, in headless Chromium; on wasm with and without
// threads, and on gpu.js through WebGPU and WebGL2, both computed by Chromium's software GPU.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { build, type PreviewServer, preview } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { replay } from "../support/seed.ts";
import { launch, missing } from "./chromium.ts";
import type { Found, Wanted } from "./page/conformance.ts";
import type { Failed } from "./page/failures.ts";

if (missing !== undefined) console.log(`the browser is not tested: ${missing}`);

/** What makes a page cross-origin isolated: only then it may share memory, and have threads. */
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

describe.runIf(missing === undefined)("in Chromium", () => {
  const root = fileURLToPath(new URL("./page", import.meta.url));
  const outDir = mkdtempSync(join(tmpdir(), "sluice-page-"));
  const servers: PreviewServer[] = [];
  let browser: Browser;

  const serve = async (headers: Record<string, string>): Promise<string> => {
    const quiet = { configFile: false, logLevel: "error" } as const;
    const server = await preview({
      ...quiet,
      root,
      build: { outDir },
      preview: { port: 0, host: "127.0.0.1", headers },
    });
    servers.push(server);
    return server.resolvedUrls?.local[0] as string;
  };

  beforeAll(async () => {
    // Top-level await and private fields as they are: the browser is as new as the code.
    await build({ configFile: false, logLevel: "error", root, build: { outDir, target: "esnext", emptyOutDir: true } });
    browser = await launch();
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    await Promise.all(servers.map((server) => server.close()));
    rmSync(outDir, { recursive: true, force: true });
  });

  async function conform(url: string, wanted: Omit<Wanted, "seed">): Promise<Found> {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(url);
    const call = `globalThis.conform(${JSON.stringify({ ...wanted, seed: replay().seed })})`;
    const found = (await page.evaluate(call)) as Found;
    await page.close();
    expect(errors).toEqual([]);
    expect(found.failures).toEqual([]);
    expect(found.compared).toBeGreaterThan(300);
    return found;
  }

  async function fail(script: string): Promise<Failed> {
    const page = await browser.newPage();
    await page.goto(await serve({}));
    const failed = (await page.evaluate(`globalThis.failures.${script}`)) as Failed;
    await page.close();
    return failed;
  }

  it.each(["webgl2", "webgl"])("survives the loss of a context of %s", { timeout: 60_000 }, async (mode) => {
    const { errors, values } = await fail(`lost("${mode}")`);
    for (const [what, error] of Object.entries(errors)) expect(error, what).toMatch(/the device was lost/);
    expect(values).toEqual({ kept: [3, 6], again: [4, 7], wasm: [4, 7] });
  });

  it("says what WebGL2 has no room for", { timeout: 60_000 }, async () => {
    const { errors, values } = await fail('tooLarge("webgl2")');
    for (const error of [errors.step, errors.again]) {
      expect(error).toMatch(/^OutOfMemoryError: .*no room for .* bytes in \d+ buffers: .*Parameters are as they were/s);
    }
    expect(errors.positions).toMatch(/a tensor of 16777217 elements is too large/);
    expect(values).toEqual({ same: [1, 2], next: [5], after: [4, 6] });
  });

  let curve: readonly number[] = [];

  it("computes on wasm without threads", async () => {
    const found = await conform(await serve({}), { backend: "wasm", programs: 40, slack: 1 });
    expect([found.isolated, found.threads]).toEqual([false, 1]);
    curve = found.losses;
    expect(curve[19]).toBeLessThan(curve[0]);
  });

  it("computes on wasm with threads, the same to the bit", async () => {
    const found = await conform(await serve(isolation), { backend: "wasm", threads: 2, programs: 40, slack: 1 });
    expect([found.isolated, found.threads]).toEqual([true, 2]);
    expect(found.losses).toEqual(curve);
  });

  it.each(["webgpu", "webgl2", "webgl"] as const)(
    "computes on gpu.js in mode %s",
    { timeout: 120_000 },
    async (mode) => {
      const found = await conform(await serve({}), { backend: "gpu", mode, programs: 8, slack: 4 });
      expect(found.info?.mode).toBe(mode);
      found.losses.forEach((loss, i) => {
        expect(Math.abs(loss - curve[i]) / curve[i]).toBeLessThan(1e-3);
      });
    },
  );
});
