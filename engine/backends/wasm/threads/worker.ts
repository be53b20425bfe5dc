// What a worker of the pool runs, as the source text of a script: it works in Node and in a browser, needs no file of
// its own, and imports nothing. Between runs it sleeps on the bell; messages (programs to load) wake it too.

import { sync } from "./barrier.ts";

/** Iterations of looking at the bell before going to sleep: a few tens of microseconds. */
const spins = 20_000;

const word = (address: number): number => address / 4;

/** Messages to a worker: first `start`, then programs to load and to forget. */
export type WorkerMessage =
  | { readonly kind: "start"; readonly memory: WebAssembly.Memory; readonly thread: number; readonly imports: string[] }
  | { readonly kind: "load"; readonly id: number; readonly module: WebAssembly.Module }
  | { readonly kind: "forget"; readonly id: number };

export const workerSource = `
"use strict";
const node = typeof process === "object" && typeof require === "function";
const port = node ? require("node:worker_threads").parentPort : self;
const programs = new Map();
let words, thread, env, handled = 0, seen = 0;

function handle(message) {
  if (message.kind === "start") {
    words = new Int32Array(message.memory.buffer);
    thread = message.thread;
    env = { memory: message.memory };
    for (const name of message.imports) {
      env[name] = Math[name] ?? (() => { throw new Error("a worker may not call " + name); });
    }
    seen = Atomics.load(words, ${word(sync.run)});
  } else if (message.kind === "load") {
    programs.set(message.id, new WebAssembly.Instance(message.module, { env }));
  } else programs.delete(message.id);
  handled += 1;
  Atomics.store(words, ${word(sync.handled)} + thread, handled);
  serve();
}

// Runs what is asked for until a message waits in the event loop.
function serve() {
  for (let spun = 0; ; spun++) {
    const bell = Atomics.load(words, ${word(sync.bell)});
    const run = Atomics.load(words, ${word(sync.run)});
    if (run !== seen) {
      seen = run;
      spun = 0;
      const [id, threads, arena, table] = words.subarray(${word(sync.run) + 1}, ${word(sync.run) + 5});
      if (thread < threads) programs.get(id).exports.run(thread, threads, arena, table);
      continue;
    }
    if (Atomics.load(words, ${word(sync.posted)} + thread) !== handled) return;
    if (spun < ${spins}) continue;
    Atomics.wait(words, ${word(sync.bell)}, bell);
    spun = 0;
  }
}

function receive(message) {
  try {
    handle(message);
  } catch (error) {
    if (words) Atomics.store(words, ${word(sync.failed)}, thread);
    throw error;
  }
}
if (node) port.on("message", receive);
else port.onmessage = (event) => receive(event.data);
`;
