// Running instances with the threads of a heap: one thread for small programs, the pool for those worth waking it for.

import type { Heap } from "../memory/heap.ts";
import { Residents } from "../memory/residents.ts";
import type { Instance } from "../program.ts";
import { importNames } from "../vector/env.ts";
import { availableThreads } from "./host.ts";
import { Pool } from "./pool.ts";

/** Shared work below which waking a sleeping worker costs more than it brings. */
const worthWaking = 1 << 18;

/** Thresholds of work from which calls are split and workers woken; tests set them to 0. */
export interface RunnerOptions {
  readonly splitFrom?: number;
  readonly wakeFrom?: number;
}

export class Runner {
  readonly heap: Heap;
  readonly options: RunnerOptions;
  readonly residents: Residents;
  private wanted: number | undefined;
  private pool: Pool | undefined;
  private readonly loaded = new Map<Instance, number>();
  private nextId = 1;

  constructor(heap: Heap, options: RunnerOptions = {}) {
    this.heap = heap;
    this.options = options;
    this.residents = new Residents(heap);
  }

  /** How many threads may compute; by default as many as there are cores. */
  get threads(): number {
    return this.heap.shared ? (this.wanted ?? availableThreads()) : 1;
  }

  set threads(threads: number) {
    if (threads === this.threads) return;
    this.wanted = threads;
    this.endPool();
  }

  /** Threads that would take part in a run now: workers start, and load programs, while others run. */
  get activeThreads(): number {
    return this.pool?.threads ?? 1;
  }

  /** For tests of what happens then. */
  killWorkers(): void {
    this.pool?.kill();
  }

  /** Base address of the arena for an instance, with scratch memory for as many threads as may run. */
  arena(instance: Instance): number {
    return this.heap.arena(instance.arenaBytes(this.threads));
  }

  /** Runs a program to its end; results do not depend on the number of threads. */
  run(instance: Instance, arena: number, table: number): void {
    const threads =
      this.threads > 1 && instance.sharedWork >= (this.options.wakeFrom ?? worthWaking) ? this.join(instance) : 1;
    const { pool } = this;
    if (pool === undefined || threads === 1) {
      instance.run(0, 1, arena, table);
      return;
    }
    pool.start(this.loaded.get(instance) as number, threads, arena, table);
    try {
      instance.run(0, threads, arena, table);
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      this.endPool();
      throw pool.fail(error);
    }
  }

  /** Makes sure the pool knows the program; returns how many threads can run it now. */
  private join(instance: Instance): number {
    if (this.pool?.dead) this.endPool();
    this.pool ??= new Pool(this.heap, this.threads, importNames);
    if (!this.loaded.has(instance)) {
      this.loaded.set(instance, this.nextId);
      this.pool.load(this.nextId++, instance.module);
    }
    return this.pool.threads;
  }

  /** Lets the workers forget a program. */
  forget(instance: Instance): void {
    const id = this.loaded.get(instance);
    if (id !== undefined) this.pool?.forget(id);
    this.loaded.delete(instance);
  }

  private endPool(): void {
    this.pool?.end();
    this.pool = undefined;
    this.loaded.clear();
  }
}
