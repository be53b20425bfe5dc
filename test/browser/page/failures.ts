// What goes wrong on the page's GPU, and what is left: each case tells the errors it met and the values after them.

import * as S from "../../../engine/index.ts";

export interface Failed {
  /** Message of the error, by what was tried. */
  readonly errors: Record<string, string>;
  /** Values that must not be lost, and what is computed from them afterwards. */
  readonly values: Record<string, number[]>;
}

const numbers = async (x: S.Tensor): Promise<number[]> => Array.from(await x.data());

async function errorOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return "no error";
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}

type Mode = "webgpu" | "webgl2" | "webgl";

/** A device that has no room for large textures for now, and says so as WebGL does: to who asks. */
function shortage(): () => void {
  const { WebGL2RenderingContext: Context } = globalThis as unknown as { WebGL2RenderingContext: { prototype: Gl } };
  const { prototype } = Context;
  const { texStorage2D, getError } = prototype;
  let short = false;
  prototype.texStorage2D = function (this: Gl, target, levels, format, width, height) {
    short ||= width * height > 2 ** 16;
    texStorage2D.call(this, target, levels, format, Math.min(width, 64), Math.min(height, 64));
  };
  prototype.getError = function (this: Gl) {
    const error = short ? 1285 : getError.call(this);
    short = false;
    return error;
  };
  return () => {
    Object.assign(prototype, { texStorage2D, getError });
  };
}

interface Gl {
  texStorage2D(target: number, levels: number, format: number, width: number, height: number): void;
  getError(): number;
}

/** A step whose intermediate array is larger than the device has room for. */
async function tooLarge(mode: Mode): Promise<Failed> {
  await S.setBackend("gpu", { mode });
  const w = S.tensor([1, 2]);
  const step = S.compile((x: S.Tensor) => {
    const total = S.sum(S.cumsum(S.broadcastTo(x, [2 ** 20]), 0));
    S.assign(w, S.add(w, S.mul(total, 0)));
    S.assign(w, S.add(w, x));
    return S.add(S.sum(w), S.mul(total, 0));
  });
  const one = S.tensor([1]);
  await numbers(w);
  const end = shortage();
  const errors = { step: await errorOf(() => step(one).data()), again: await errorOf(() => step(one).data()) };
  end();
  const same = await numbers(w);
  const next = await numbers(step(one));
  const positions = await errorOf(() =>
    S.zeros([2 ** 24 + 1])
      .add(one)
      .data(),
  );
  await S.setBackend("gpu", { mode });
  return { errors: { ...errors, positions }, values: { same, next, after: await numbers(S.mul(w, 2)) } };
}

/** Loses every WebGL context, as a driver's reset does; WebGPU's device likewise. */
async function lost(mode: Mode): Promise<Failed> {
  const contexts: WebGl[] = [];
  const restore = watchContexts(contexts);
  await S.setBackend("gpu", { mode });
  const read = S.tensor([1, 2]).mul(3);
  await numbers(read);
  const state = S.tensor([1, 2]);
  const step = S.compile((x: S.Tensor) => {
    S.assign(state, S.add(state, x));
    return S.mul(x, 5);
  });
  // Both are on the device only.
  const unread = step(S.tensor([1]));
  for (const gl of contexts) gl.getExtension("WEBGL_lose_context")?.loseContext();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const errors = {
    unread: await errorOf(() => unread.data()),
    state: await errorOf(() => state.data()),
    next: await errorOf(() => read.add(1).data()),
    send: await errorOf(() => S.tensor([7, 8, 9]).add(1).data()),
  };
  const kept = await numbers(read);
  restore();
  await S.setBackend("gpu", { mode });
  const again = await numbers(read.add(1));
  Object.assign(errors, { gone: await errorOf(() => unread.data()) });
  await S.setBackend("wasm");
  return { errors, values: { kept, again, wasm: await numbers(read.add(1)) } };
}

interface WebGl {
  getExtension(name: string): { loseContext(): void } | null;
}
interface Canvas {
  getContext(kind: string, options?: unknown): WebGl | null;
}

/** Notes the contexts that canvases make; returns what undoes it. */
function watchContexts(contexts: WebGl[]): () => void {
  const classes = globalThis as unknown as Record<string, { prototype: Canvas } | undefined>;
  const undo = ["OffscreenCanvas", "HTMLCanvasElement"].map((name) => {
    const prototype = classes[name]?.prototype;
    const getContext = prototype?.getContext;
    if (prototype === undefined || getContext === undefined) return () => undefined;
    prototype.getContext = function (this: Canvas, kind, options) {
      const context = getContext.call(this, kind, options);
      if (context !== null && kind.startsWith("webgl")) contexts.push(context);
      return context;
    };
    return () => {
      prototype.getContext = getContext;
    };
  });
  return () => {
    for (const each of undo) each();
  };
}

Object.assign(globalThis, { failures: { tooLarge, lost } });
