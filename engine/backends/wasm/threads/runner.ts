// Running instances with the threads of a heap: the pool for programs worth waking it for, and for smaller ones while it
// is awake, as it is in a loop of calls; one thread for the rest.

import type { Heap } from "../memory/heap.ts";
import { Residents } from "../memory/residents.ts";
import type { Instance } from "../program.ts";
import { availableThreads } from "./host.ts";
import { Pool } from "./pool.ts";

/** Shared work from which a program is done sooner by two threads, though one of them has to wake up first. */
const worthWaking = 1 << 18;
/** Shared work from which two threads that are awake are faster than one. */
const worthSharing = 1 << 14;
/** Two programs worth sharing that start no further apart than this, beside their own time, are a loop of calls; in ms. */
const loopGap = 0.05;
/**
 * Milliseconds between two attempts to wake workers for programs too small to wait for them: where other processes hold
 * the cores, a worker that wakes takes the place of the thread that rang.
 */
const attemptGap = 10;

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
  private readonly cores = availableThreads();
  /** When the last program worth sharing ended. */
  private ended = Number.NEGATIVE_INFINITY;
  /** When workers were last woken for a small program. */
  private rang = Number.NEGATIVE_INFINITY;

  constructor(heap: Heap, options: RunnerOptions = {}) {
    this.heap = heap;
    this.options = options;
    this.residents = new Residents(heap);
  }

  /** How many threads may compute; by default as many as there are cores. */
  get threads(): number {
    return this.heap.shared ? (this.wanted ?? this.cores) : 1;
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
    const wakes = instance.sharedWork >= (this.options.wakeFrom ?? worthWaking);
    if (this.threads === 1 || !(wakes || instance.sharedWork >= worthSharing)) {
      instance.run(0, 1, arena, table);
      return;
    }
    const now = performance.now();
    const threads = wakes || now - this.ended < loopGap ? this.join(instance, wakes, now) : 1;
    this.runWith(threads, instance, arena, table);
    this.ended = performance.now();
  }

  private runWith(threads: number, instance: Instance, arena: number, table: number): void {
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

  /** Makes sure the pool knows the program; returns how many threads should run it now. */
  private join(instance: Instance, wakes: boolean, now: number): number {
    if (this.pool?.dead) this.endPool();
    this.pool ??= new Pool(this.heap, this.threads);
    if (!this.loaded.has(instance)) {
      this.loaded.set(instance, this.nextId);
      this.pool.load(this.nextId++, instance.module);
    }
    if (wakes || this.pool.awake) return this.pool.threads;
    // A small program doesn't wait for sleepers: they will be awake for the next one.
    if (now - this.rang > attemptGap) {
      this.rang = now;
      this.pool.ring();
    }
    return 1;
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
