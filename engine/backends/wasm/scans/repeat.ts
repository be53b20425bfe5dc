// A program in a loop, as one function (address of each argument, thread, threads): the code of its kernels is there
// once, whatever the number of steps; addresses of sequences move on by one element a step.

import type { RepeatKernel } from "../../../compile/ir.ts";
import { bytesPerElement } from "../../../dtype.ts";
import type { FunctionBuilder } from "../assembler/asm.ts";
import { Driver, type DriverOptions, type EmittedKernel } from "../driver.ts";
import type { Env } from "../vector/env.ts";

type Parts = Pick<DriverOptions, "kernels" | "calls" | "barrier">;

/** Parameters of the functions that make one step's calls: thread, threads, arena, then the address of each binding. */
const [arena, firstBinding] = [2, 3];

export function emitRepeat(env: Env, kernel: RepeatKernel, name: string, parts: Parts): EmittedKernel {
  const { body, bindings, length } = kernel;
  const parallel = parts.calls.some((call) => call.parallel);
  const places = new Map(bindings.map(({ buffer }, i) => [buffer, firstBinding + i]));
  const address = (f: FunctionBuilder, buffer: number): void => {
    const place = places.get(buffer);
    if (place !== undefined) f.get(place);
    else
      f.get(arena)
        .i32(body.arena.offsets[buffer] ?? 0)
        .op("i32.add");
  };
  // Without shared calls the first thread does everything, and there is nobody to meet.
  const barrier = parallel ? parts.barrier : undefined;
  const params = firstBinding + bindings.length;
  const driver = new Driver({ ...parts, env, program: body, params, address, barrier });
  const step = env.module.func(`${name}step`, new Array(params).fill("i32"), [], (f) => {
    const pushParams = () => {
      for (let i = 0; i < params; i++) f.get(i);
    };
    driver.run(f, pushParams, body.copies.length > 0);
    driver.meet(f);
  });
  const index = env.module.func(name, new Array(kernel.args.length + 2).fill("i32"), [], (f) => {
    emitLoop(f, kernel, step, barrier);
  });
  const shared = parts.calls.map(({ parallel: split }, i) => (split === parallel ? workOf(body.calls[i].kernel) : 0));
  const work = length * shared.reduce((sum, n) => sum + n, 0);
  return { index, units: length === 0 ? 0 : parallel ? 2 : 1, work, cut: false, whole: true };

  function workOf(id: number): number {
    return parts.kernels[id].work;
  }
}

function emitLoop(f: FunctionBuilder, kernel: RepeatKernel, step: number, barrier: number | undefined): void {
  const { args, bindings, starts, length, reverse, body } = kernel;
  const [self, threads] = [args.length, args.length + 1];
  f.get(self).op("i32.eqz");
  f.if(() => {
    for (const { from, to, bytes } of starts) f.get(to).get(from).i32(bytes).memoryCopy();
  });
  if (barrier !== undefined && starts.length > 0) f.get(self).get(threads).call(barrier);
  const moves = bindings.map(({ buffer, step: elements }) => elements * bytesPerElement(body.buffers[buffer].dtype));
  const pointers = bindings.map(({ arg }, i) => {
    const pointer = f.local("i32");
    f.get(arg);
    if (reverse) f.i32((length - 1) * moves[i]).op("i32.add");
    f.set(pointer);
    return pointer;
  });
  const left = f.local("i32");
  f.i32(length).set(left);
  f.loop(() => {
    f.get(self)
      .get(threads)
      .get(args.length - 1);
    for (const pointer of pointers) f.get(pointer);
    f.call(step);
    pointers.forEach((pointer, i) => {
      if (moves[i] === 0) return;
      f.get(pointer)
        .i32(reverse ? -moves[i] : moves[i])
        .op("i32.add")
        .set(pointer);
    });
    f.get(left).i32(1).op("i32.sub").tee(left).brIf(0);
  });
}
