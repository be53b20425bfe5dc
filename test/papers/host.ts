// A command line in memory: captures what is written, and interrupts on demand.
import { Writable } from "node:stream";
import { main } from "../../papers/commands.ts";
import type { Paper } from "../../papers/paper.ts";

export interface Captured {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

class Sink extends Writable {
  text = "";

  override _write(chunk: Buffer | string, _encoding: string, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}

/** Runs a command line on the given papers; `interruptAfter` milliseconds, when given, is when Ctrl-C is pressed. */
export async function runCommand(
  args: readonly string[],
  papers: readonly Paper[],
  interruptAfter?: number,
): Promise<Captured> {
  const stdout = new Sink();
  const stderr = new Sink();
  const registry = Object.fromEntries(papers.map((paper) => [paper.name, async () => paper]));
  const code = await main(args, {
    registry,
    stdout,
    stderr,
    useBackend: async () => {},
    onInterrupt(listener) {
      const timer = interruptAfter === undefined ? undefined : setTimeout(listener, interruptAfter);
      return () => clearTimeout(timer);
    },
  });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** Runs a paper and interrupts it in the given step of training; the steps that it then reported, and the run. */
export async function interruptedIn<C>(step: number, run: RunInterruptible<C>): Promise<{ steps: number; run: C }> {
  const controller = new AbortController();
  let steps = 0;
  const finished = await run({
    signal: controller.signal,
    onProgress: () => {
      steps += 1;
      if (steps === step) controller.abort();
    },
  });
  return { steps, run: finished };
}

type RunInterruptible<C> = (options: { signal: AbortSignal; onProgress: () => void }) => Promise<C>;
