// One turn of one implementation: tinybench samples a job for a few milliseconds. The turns of all implementations
// alternate (rounds.ts): tinybench measures one task after the other in one process, which would let a busy minute of
// the machine fall on one library alone, and the peers do not get on in one process anyway.

import { Bench } from "tinybench";
import type { Job } from "./protocol.ts";

/** Runs shorter than this are timed in batches, in ms. */
const shortest = 0.2;

/** Milliseconds of one run each, for about `ms` milliseconds; one run comes first that does not count. */
export async function turn(job: Job, ms: number): Promise<number[]> {
  const start = performance.now();
  await job.run();
  const once = performance.now() - start;
  const batch = Math.max(1, Math.ceil(shortest / Math.max(once, 1e-4)));
  const asynchronous = job.async === true;
  const fn = asynchronous
    ? async (): Promise<void> => {
        for (let i = 0; i < batch; i++) await job.run();
      }
    : (): void => {
        for (let i = 0; i < batch; i++) job.run();
      };
  const options = { time: ms, iterations: 1, warmup: false, retainSamples: true, throws: true };
  const bench = new Bench(options).add("job", fn, { async: asynchronous });
  const [task] = asynchronous ? await bench.run() : bench.runSync();
  const { result } = task;
  if (result.state !== "completed") throw new Error(`the turn ended as ${result.state}`);
  return (result.latency.samples ?? []).map((sample) => sample / batch);
}
