// What differs between Node and a browser: starting a worker, the number of cores, and whether the main thread may wait.

import { type WorkerMessage, workerSource } from "./worker.ts";

/** A worker, wherever it runs. */
export interface Started {
  post(message: WorkerMessage): void;
  end(): void;
  /** Ends it without having meant to: `lost` is told. */
  kill(): void;
}

interface NodeWorker {
  postMessage(message: WorkerMessage): void;
  on(event: "error" | "exit", listener: (cause: unknown) => void): void;
  unref(): void;
  terminate(): unknown;
}

interface NodeModules {
  "node:worker_threads": { Worker: new (source: string, options: { eval: true; execArgv: string[] }) => NodeWorker };
  "node:os": { availableParallelism(): number };
}

/** A built-in module of Node, without an import that a bundler or a browser would trip over. */
function builtin<Name extends keyof NodeModules>(name: Name): NodeModules[Name] | undefined {
  const node = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }).process;
  return node?.getBuiltinModule?.(name) as NodeModules[Name] | undefined;
}

/** Cores this process may use; 1 where threads cannot be had. */
export function availableThreads(): number {
  const os = builtin("node:os");
  if (os !== undefined) return os.availableParallelism();
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true;
  return isolated ? (globalThis.navigator?.hardwareConcurrency ?? 1) : 1;
}

/** The main thread of a page may not block; everything else may. */
export const mainMayWait = (): boolean => typeof (globalThis as { document?: unknown }).document === "undefined";

/** Starts a worker of the pool; `lost` hears why it ended. Undefined where there are no workers. */
export function startWorker(lost: (cause: string) => void): Started | undefined {
  const threads = builtin("node:worker_threads");
  if (threads !== undefined) {
    let ending = false;
    const worker = new threads.Worker(workerSource, { eval: true, execArgv: [] });
    worker.on("error", (error) => lost(String(error)));
    worker.on("exit", (code) => {
      if (!ending) lost(`exited with code ${code}`);
    });
    // The pool never keeps a process alive.
    worker.unref();
    return {
      post: (message) => worker.postMessage(message),
      end: () => {
        ending = true;
        worker.terminate();
      },
      kill: () => void worker.terminate(),
    };
  }
  if (typeof Worker === "undefined") return undefined;
  const url = URL.createObjectURL(new Blob([workerSource], { type: "text/javascript" }));
  const worker = new Worker(url);
  worker.onerror = (event) => lost(event.message);
  const end = () => worker.terminate();
  return { post: (message) => worker.postMessage(message), end, kill: end };
}
