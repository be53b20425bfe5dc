// The measured side: serves one implementation's workloads over descriptor 3 until the benchmark closes it.

import { Socket } from "node:net";
import { createInterface } from "node:readline";
import { makeInputs } from "./inputs.ts";
import type { Build, Builders, Inputs, Job, Reply, Request, Workload } from "./protocol.ts";
import { turn } from "./turn.ts";

/** Serves the operations in `builders`. `version` names the library and what it runs on. */
export const serve = (version: string, builders: Builders): Promise<void> =>
  serveWith(version, ({ op, params }, inputs) =>
    Object.hasOwn(builders, op) ? builders[op](inputs, params) : undefined,
  );

/** Answers requests, one after the other. `build` gives undefined for what the implementation does not offer. */
export async function serveWith(
  version: string,
  build: (workload: Workload, inputs: Inputs) => ReturnType<Build>,
): Promise<void> {
  const socket = new Socket({ fd: 3 });
  const say = (reply: Reply): void => {
    socket.write(`${JSON.stringify(reply)}\n`);
  };
  let job: Job | undefined;
  const answer = async (request: Request): Promise<Reply> => {
    switch (request.do) {
      case "prepare": {
        const inputs = makeInputs(request.workload.inputs);
        const start = performance.now();
        job = await build(request.workload, inputs);
        if (job === undefined) return { is: "unsupported" };
        await job.run();
        const first = performance.now() - start;
        const result = Float32Array.from(await job.result());
        return { is: "ready", first, result: Buffer.from(result.buffer).toString("base64") };
      }
      case "turn":
        return { is: "times", samples: await turn(built(job), request.ms) };
      case "measure": {
        const { measure } = built(job);
        return measure === undefined ? { is: "unsupported" } : { is: "measured", values: await measure() };
      }
      case "release":
        job?.release?.();
        job = undefined;
        return { is: "released" };
    }
  };
  say({ is: "hello", version });
  for await (const line of createInterface({ input: socket })) {
    try {
      say(await answer(JSON.parse(line) as Request));
    } catch (error) {
      say({ is: "failed", reason: error instanceof Error ? error.message : String(error) });
    }
  }
  process.exit();
}

function built(job: Job | undefined): Job {
  if (job === undefined) throw new Error("nothing is prepared");
  return job;
}

/** The losses of a training step's first three runs, as a job's `result` and as a wrapper of its `run`. */
export function recordLosses(step: () => number | Promise<number>): Pick<Job, "run" | "result"> {
  const losses: number[] = [];
  const record = (loss: number): number => {
    if (losses.length < 3) losses.push(loss);
    return loss;
  };
  const run = (): number | Promise<number> => {
    const loss = step();
    return typeof loss === "number" ? record(loss) : loss.then(record);
  };
  const result = async (): Promise<number[]> => {
    while (losses.length < 3) await run();
    return losses;
  };
  return { run, result };
}
