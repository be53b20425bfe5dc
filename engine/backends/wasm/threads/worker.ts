// What a worker of the pool runs, as the source text of a script: it works in Node and in a browser, needs no file of
// its own, and imports nothing. Between runs it sleeps on the bell; messages (programs to load) wake it too.

import { sync } from "./barrier.ts";

/** Milliseconds a worker looks out for the next run before it goes to sleep; it is awake again 20 us after a ring. */
export const lookout = 0.1;

const word = (address: number): number => address / 4;

/** Messages to a worker: first `start`, then programs to load and to forget. */
export type WorkerMessage =
  | { readonly kind: "start"; readonly memory: WebAssembly.Memory; readonly thread: number }
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
  for (let looks = 1, since = performance.now(); ; looks++) {
    const bell = Atomics.load(words, ${word(sync.bell)});
    const run = Atomics.load(words, ${word(sync.run)});
    if (run !== seen) {
      seen = run;
      const threads = words[${word(sync.run) + 2}];
      if (thread < threads) {
        const [arena, table] = [words[${word(sync.run) + 3}], words[${word(sync.run) + 4}]];
        programs.get(words[${word(sync.run) + 1}]).exports.run(thread, threads, arena, table);
      }
    } else {
      if (Atomics.load(words, ${word(sync.posted)} + thread) !== handled) return;
      if (looks % 16 !== 0 || performance.now() - since < ${lookout}) continue;
      Atomics.add(words, ${word(sync.asleep)}, 1);
      Atomics.wait(words, ${word(sync.bell)}, bell);
      Atomics.sub(words, ${word(sync.asleep)}, 1);
    }
    since = performance.now();
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
