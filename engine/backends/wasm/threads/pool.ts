// The worker threads of a heap: started when a program is worth it, asleep between runs, never keeping a process alive.

import { SluiceError } from "../../../errors.ts";
import type { Heap } from "../memory/heap.ts";
import { maxThreads, sync } from "./barrier.ts";
import { type Started, startWorker } from "./host.ts";
import type { WorkerMessage } from "./worker.ts";

interface Member {
  readonly worker: Started;
  readonly thread: number;
  posted: number;
}

export class Pool {
  private readonly heap: Heap;
  private readonly members: Member[] = [];
  private readonly failures: string[] = [];
  private broken = false;

  constructor(heap: Heap, threads: number) {
    this.heap = heap;
    const { words } = heap;
    for (const address of [sync.count, sync.failed, sync.asleep]) Atomics.store(words, address / 4, 0);
    for (let thread = 1; thread < Math.min(threads, maxThreads); thread++) {
      Atomics.store(words, sync.posted / 4 + thread, 0);
      Atomics.store(words, sync.handled / 4 + thread, 0);
      const worker = startWorker((cause) => {
        this.broken = true;
        this.failures.push(`worker ${thread}: ${cause}`);
      });
      if (worker === undefined) break;
      const member = { worker, thread, posted: 0 };
      this.members.push(member);
      this.post(member, { kind: "start", memory: heap.memory, thread });
    }
  }

  /** Whether a worker died: the pool is then of no use. */
  get dead(): boolean {
    return this.broken;
  }

  /** Sends a program to all workers; returns the ticket by which `ready` knows it. */
  load(id: number, module: WebAssembly.Module): void {
    for (const member of this.members) this.post(member, { kind: "load", id, module });
  }

  forget(id: number): void {
    if (!this.broken) for (const member of this.members) this.post(member, { kind: "forget", id });
  }

  private post(member: Member, message: WorkerMessage): void {
    member.posted += 1;
    Atomics.store(this.heap.words, sync.posted / 4 + member.thread, member.posted);
    member.worker.post(message);
    this.ring();
  }

  /** Whether every worker looks out for the next run. */
  get awake(): boolean {
    return Atomics.load(this.heap.words, sync.asleep / 4) === 0;
  }

  /** Wakes workers that sleep. */
  ring(): void {
    Atomics.add(this.heap.words, sync.bell / 4, 1);
    Atomics.notify(this.heap.words, sync.bell / 4);
  }

  /** Threads that can take part in a run now: all, once every worker has loaded what it was sent, else one. */
  get threads(): number {
    const { words } = this.heap;
    const ready = ({ thread, posted }: Member) => Atomics.load(words, sync.handled / 4 + thread) === posted;
    return !this.broken && this.members.every(ready) ? this.members.length + 1 : 1;
  }

  /** Asks the workers to run a program with `threads` threads; the caller runs it as thread 0 and meets them there. */
  start(id: number, threads: number, arena: number, table: number): void {
    const { words } = this.heap;
    const at = sync.run / 4;
    words[at + 1] = id;
    words[at + 2] = threads;
    words[at + 3] = arena;
    words[at + 4] = table;
    Atomics.add(words, at, 1);
    this.ring();
  }

  /** After a run that trapped: ends the pool; the error says whether a worker was the cause. */
  fail(cause: unknown): SluiceError {
    const thread = Atomics.load(this.heap.words, sync.failed / 4);
    const reason = this.failures.join("; ") || (thread === 0 ? "no answer" : `worker ${thread} failed`);
    this.end();
    return new SluiceError("threads", `a worker thread was lost during a run (${reason}); the next call starts anew`, {
      cause,
    });
  }

  /** Ends the workers' threads from outside, as an out-of-memory killer would. */
  kill(): void {
    for (const { worker } of this.members) worker.kill();
  }

  end(): void {
    this.broken = true;
    for (const { worker } of this.members) worker.end();
    this.members.length = 0;
  }
}
