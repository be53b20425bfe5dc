// Where threads meet: a counter and a generation in shared memory, spun on for a while and then waited for.

import type { ModuleBuilder } from "../assembler/asm.ts";

/** Byte addresses of the words threads talk through; each has a cache line of its own. */
export const sync = {
  /** Threads that have arrived at the barrier, and how often it has opened. */
  count: 128,
  generation: 192,
  /** Changes whenever something was asked of the workers; they sleep on it. */
  bell: 256,
  /** The last run that was asked for: its number, program, threads, arena and table. */
  run: 320,
  /** Set by a worker that failed. */
  failed: 384,
  /** One word a worker: messages sent to it, and messages it has handled. */
  posted: 448,
  handled: 704,
  /** Workers that sleep on the bell. */
  asleep: 960,
} as const;

export const maxThreads = 64;

const spins = 20_000;
const waitNanoseconds = 1_000_000n;
/** Waits of a millisecond before a silent thread is given up. */
const patience = 30_000;

/**
 * Index of `barrier(thread, threads)`: returns when all threads have called it. A thread that failed, or says nothing
 * for half a minute, makes it trap. The main thread of a page may not wait, only spin.
 */
export function emitBarrier(module: ModuleBuilder, mainMayWait: boolean): number {
  return module.func("barrier", ["i32", "i32"], [], (f) => {
    const [thread, threads] = [0, 1];
    const [generation, spun, waited] = [f.local("i32"), f.local("i32"), f.local("i32")];
    f.get(threads).i32(2).op("i32.lt_u");
    f.if(() => f.ret());
    f.i32(0).atomic("i32.atomic.load", sync.generation).set(generation);
    f.i32(0).i32(1).atomic("i32.atomic.rmw.add", sync.count).i32(1).op("i32.add").get(threads).op("i32.eq");
    f.if(() => {
      f.i32(0).i32(0).atomic("i32.atomic.store", sync.count);
      f.i32(0).i32(1).atomic("i32.atomic.rmw.add", sync.generation).op("drop");
      f.i32(0).get(threads).atomic("memory.atomic.notify", sync.generation).op("drop");
      f.ret();
    });
    f.loop(() => {
      f.i32(0).atomic("i32.atomic.load", sync.generation).get(generation).op("i32.ne");
      f.if(() => f.ret());
      f.get(spun).i32(1).op("i32.add").tee(spun).i32(spins).op("i32.lt_u").brIf(0);
      f.i32(0).set(spun);
      f.i32(0).atomic("i32.atomic.load", sync.failed);
      f.get(waited).i32(1).op("i32.add").tee(waited).i32(patience).op("i32.gt_u").op("i32.or");
      f.if(() => f.unreachable());
      const wait = () => {
        f.i32(0).get(generation).i64(waitNanoseconds).atomic("memory.atomic.wait32", sync.generation).op("drop");
      };
      if (mainMayWait) wait();
      else {
        f.get(thread);
        f.if(wait);
      }
      f.br(0);
    });
  });
}
