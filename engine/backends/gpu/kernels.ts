// The kernels of a device by their source: built when first called, kept while a program may call them and, of those of
// no program, as long as they are among the last ones used.

import type { GpuKernel, Handle } from "./library.ts";

/** Kernels that no program calls any more, uploads and readbacks among them. */
const spare = 64;

interface Built {
  readonly kernel: GpuKernel;
  /** Results that are alive and need it. */
  results: number;
}

export class Kernels {
  /** Those of no program in the order of their last use. */
  readonly #built = new Map<string, Built>();
  readonly #users = new Map<string, number>();
  readonly #makers = new WeakMap<Handle, Built>();

  get size(): number {
    return this.#built.size;
  }

  /** The kernel of a key, built by `make` if it is not there. */
  get(key: string, make: () => GpuKernel): GpuKernel {
    const known = this.#built.get(key);
    if (known !== undefined) {
      if (!this.#users.has(key)) this.#touch(key, known);
      return known.kernel;
    }
    const kernel = make();
    this.#built.set(key, { kernel, results: 0 });
    this.#trim();
    return kernel;
  }

  /** A kernel has a result that needs it; `dropped` when that is gone. */
  made(key: string, result: Handle): void {
    const maker = this.#built.get(key);
    if (maker === undefined) return;
    maker.results += 1;
    this.#makers.set(result, maker);
  }

  dropped(result: Handle): void {
    const maker = this.#makers.get(result);
    if (maker !== undefined) maker.results -= 1;
  }

  /** A program may call these. */
  retain(keys: Iterable<string>): void {
    for (const key of keys) this.#users.set(key, (this.#users.get(key) ?? 0) + 1);
  }

  /** It won't any more. */
  release(keys: Iterable<string>): void {
    for (const key of keys) {
      const left = (this.#users.get(key) ?? 1) - 1;
      if (left > 0) {
        this.#users.set(key, left);
        continue;
      }
      this.#users.delete(key);
      const built = this.#built.get(key);
      if (built !== undefined) this.#touch(key, built);
    }
    this.#trim();
  }

  /** Lets go of a kernel that is of no use: gpu.js keeps one whose first call failed as it is, for good. */
  forget(key: string): void {
    this.#built.delete(key);
  }

  clear(): void {
    this.#built.clear();
  }

  #touch(key: string, built: Built): void {
    this.#built.delete(key);
    this.#built.set(key, built);
  }

  #trim(): void {
    const unused = [...this.#built].filter(([key]) => !this.#users.has(key));
    for (const [key, { kernel, results }] of unused.slice(0, Math.max(0, unused.length - spare))) {
      if (results > 0) continue;
      kernel.destroy();
      this.#built.delete(key);
    }
  }
}
