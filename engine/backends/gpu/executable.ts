// A planned program bound to storages. What a run reads and writes is fixed when it is called; the work may be queued.

import { explainProgram } from "../../compile/index.ts";
import type { LoopKernel } from "../../compile/ir.ts";
import type { HostArray } from "../../dtype.ts";
import { SluiceError } from "../../errors.ts";
import type { Storage } from "../../graph/storage.ts";
import type { Executable } from "../backend.ts";
import type { Device } from "./device.ts";
import { evaluate, runOnHost } from "./host.ts";
import type { Handle } from "./library.ts";
import { attach, Cell, Held, putBack, type Queue, toFloats } from "./memory.ts";
import type { Plan } from "./program.ts";
import type { KernelSpec } from "./steps.ts";
import type { Scalar } from "./writer.ts";

/** Storages that live on a device, so that their values can be fetched when another backend is chosen. */
export type Residents = (storage: Storage) => void;

export class GpuExecutable implements Executable {
  readonly #device: Device;
  readonly #queue: Queue;
  readonly #plan: Plan;
  readonly #resident: Residents;
  /** Inputs seen once: one that comes again stays on the device. */
  readonly #seen = new WeakSet<Storage>();

  constructor(queue: Queue, plan: Plan, resident: Residents) {
    this.#queue = queue;
    this.#device = queue.device;
    this.#plan = plan;
    this.#resident = resident;
    this.#device.retain(kernelsOf(plan));
    collected.register(this, { queue, plan }, this);
  }

  run(inputs: readonly Storage[], outputs: readonly Storage[]): void | Promise<void> {
    const plan = this.#plan;
    const { buffers } = plan.program;
    const taken = inputs.map((storage, i) => this.#take(storage, buffers[plan.program.inputs[i]].role === "state"));
    const drop = (cells: readonly Cell[]): void => {
      for (const cell of cells) cell.drop();
    };
    try {
      this.#check(taken);
    } catch (error) {
      drop(taken);
      throw error;
    }
    const host = this.#runHost(taken);
    const made = outputs.map((storage, i) => {
      const values = plan.outputs[i] === undefined ? host.arrays[plan.program.outputs[i]] : undefined;
      const cell = new Cell(this.#queue, storage.dtype, storage.length, values);
      const previous = attach(storage, cell);
      this.#resident(storage);
      storage.host = values;
      return { storage, cell: cell.retain(), previous };
    });
    const cells = made.map(({ cell }) => cell);
    const done = (): void => {
      for (const { previous } of made) previous.device?.release();
      drop([...taken, ...cells]);
    };
    const failed = (cause: unknown): never => {
      for (const { storage, cell, previous } of made) {
        cell.fail(cause);
        putBack(storage, cell, previous);
      }
      drop([...taken, ...cells]);
      throw cause;
    };
    const job = (): void | Promise<void> => {
      try {
        const running = this.#device.guarded(() => new Run(this.#device, plan, taken, host).start(cells));
        return running instanceof Promise ? running.then(done, failed) : done();
      } catch (cause) {
        return failed(cause);
      }
    };
    return this.#queue.run(job);
  }

  /** Looks at the positions among the inputs that the host has. */
  #check(taken: readonly Cell[]): void {
    for (const { input, look, passed } of this.#plan.checks) {
      const cell = taken[input];
      if (cell.host === undefined || passed.has(cell)) continue;
      look(cell.host);
      passed.add(cell);
    }
  }

  /** The values of an input as they are now, whatever happens to the storage before the run. */
  #take(storage: Storage, stays: boolean): Cell {
    const { device } = storage;
    if (device instanceof Cell && device.device === this.#device) return device.retain();
    const values = storage.host ?? device?.read();
    if (values === undefined) throw new SluiceError("gpu", "a tensor has no values");
    if (values instanceof Promise) throw new SluiceError("gpu", "values of another device: await data() first");
    const cell = new Cell(this.#queue, storage.dtype, storage.length, values);
    if (!stays && !this.#seen.has(storage)) {
      this.#seen.add(storage);
      return cell;
    }
    storage.host = values;
    attach(storage, cell).device?.release();
    return cell.retain();
  }

  /** Evaluates the host's part of the program; what the device needs of it is kept for its moment. */
  #runHost(taken: readonly Cell[]): HostResults {
    const { program, host, hostCalls, uploads, keys } = this.#plan;
    const arrays: HostArray[] = [];
    program.inputs.forEach((buffer, i) => {
      if (!host.buffers.has(buffer)) return;
      const values = taken[i].host ?? (this.#device.synchronous ? taken[i].read() : undefined);
      if (values === undefined || values instanceof Promise) {
        throw new SluiceError("gpu", "a random generator's state is on the device; read it with await data() first");
      }
      arrays[buffer] = values;
    });
    const words: number[] = [];
    const sent = new Map<number, HostArray>();
    const lengths = program.buffers.map(({ length }) => length);
    const settle = (after: number): void => {
      for (const upload of uploads) if (upload.after === after) sent.set(upload.slot, arrays[upload.buffer]);
      keys.forEach((key, i) => {
        if (key.after !== after) return;
        const own = key.args.map((buffer) => arrays[buffer]);
        const index = key.kernel.axes.map(() => 0);
        key.words.forEach((word, j) => {
          const value = evaluate(key.stage, word, index, own) | 0;
          words[i * 6 + j * 2] = value >>> 16;
          words[i * 6 + j * 2 + 1] = value & 0xffff;
        });
      });
    };
    settle(0);
    hostCalls.forEach(({ kernel, args }, at) => {
      const own = args.map((buffer) => arrays[buffer]);
      runOnHost(
        program.kernels[kernel] as LoopKernel,
        own,
        args.map((buffer) => lengths[buffer]),
      );
      args.forEach((buffer, i) => {
        arrays[buffer] = own[i];
      });
      settle(at + 1);
    });
    const copied = program.copies.map(([from]) => arrays[from]);
    program.copies.forEach(([, to], i) => {
      if (copied[i] !== undefined) arrays[to] = copied[i];
    });
    return { arrays, words, sent };
  }

  explain(): string {
    const { steps, hostCalls } = this.#plan;
    const { mode } = this.#device;
    const lines = steps.map(
      ({ spec, inputs, output }) => `  s${output} = ${spec.purpose} (${inputs.map((s) => `s${s}`).join()})`,
    );
    const head = `gpu (${mode}): ${steps.length} gpu.js kernels, ${hostCalls.length} on the host`;
    return `${head}\n${lines.join("\n")}\n${explainProgram(this.#plan.program)}`;
  }

  /** Runs that are queued still find their kernels. */
  release(): void {
    if (collected.unregister(this)) letGo({ queue: this.#queue, plan: this.#plan });
  }
}

const kernelsOf = (plan: Plan): KernelSpec[] => plan.steps.map(({ spec }) => spec);

interface Program {
  readonly queue: Queue;
  readonly plan: Plan;
}

function letGo({ queue, plan }: Program): void {
  void queue.run(() => queue.device.release(kernelsOf(plan)));
}

/** Nobody releases the programs of a compiled function: they go with it. */
const collected = new FinalizationRegistry<Program>(letGo);

interface HostResults {
  /** Values of host buffers at the end. */
  readonly arrays: readonly HostArray[];
  /** Limbs of the keys, six each. */
  readonly words: readonly number[];
  /** Host values by the slot the device reads them in. */
  readonly sent: ReadonlyMap<number, HostArray>;
}

/** One run of a plan. Goes on in promises only from where the device is asynchronous. */
class Run {
  readonly #device: Device;
  readonly #plan: Plan;
  readonly #taken: readonly Cell[];
  readonly #host: HostResults;
  readonly #slots: (Held | undefined)[] = [];

  constructor(device: Device, plan: Plan, taken: readonly Cell[], host: HostResults) {
    this.#device = device;
    this.#plan = plan;
    this.#taken = taken;
    this.#host = host;
  }

  start(made: readonly Cell[]): void | Promise<void> {
    const { steps, inputs, lengths } = this.#plan;
    const loads: (() => void | Promise<void>)[] = [];
    const load = (slot: number, cell: Cell): void => {
      if (lengths[slot] === 0) return;
      loads.push(() => {
        const held = cell.onDevice();
        const keep = (h: Held): void => {
          this.#slots[slot] ??= h.retain();
        };
        return held instanceof Promise ? held.then(keep) : keep(held);
      });
    };
    const read = new Set(steps.flatMap((step) => step.inputs));
    inputs.forEach((slot, i) => {
      this.#taken[i].check();
      // An input that nothing reads need not be on the device.
      if (slot !== undefined && (read.has(slot) || this.#plan.outputs.includes(slot))) load(slot, this.#taken[i]);
    });
    for (const [slot, values] of this.#host.sent) {
      loads.push(() => {
        const keep = (handle: Handle): void => {
          this.#slots[slot] = new Held(this.#device, handle);
        };
        const handle = this.#device.upload(toFloats(values));
        return handle instanceof Promise ? handle.then(keep) : keep(handle);
      });
    }
    const work = [...loads, ...steps.map((_, at) => () => this.#step(at)), () => this.#finish(made)];
    const from = (first: number): void | Promise<void> => {
      for (let at = first; at < work.length; at++) {
        const pending = work[at]();
        if (pending instanceof Promise) return pending.then(() => from(at + 1));
      }
      return undefined;
    };
    const fail = (cause: unknown): never => {
      this.#clear();
      throw cause;
    };
    try {
      const running = from(0);
      return running instanceof Promise ? running.catch(fail) : running;
    } catch (cause) {
      return fail(cause);
    }
  }

  #step(at: number): void | Promise<void> {
    const { spec, inputs, scalars, output } = this.#plan.steps[at];
    const arrays = inputs.map((slot) => (this.#slots[slot] as Held).handle);
    const keep = (handle: Handle): void => {
      this.#slots[output] = new Held(this.#device, handle);
      for (const slot of this.#plan.dead[at]) this.#drop(slot);
    };
    const handle = this.#device.call(
      spec,
      arrays,
      scalars.map((name) => this.#scalar(name)),
    );
    return handle instanceof Promise ? handle.then(keep) : keep(handle);
  }

  #scalar(name: Scalar): number {
    if (name === "inf") return Number.POSITIVE_INFINITY;
    if (name === "nan") return Number.NaN;
    if (name === "zero" || name === "one") return name === "one" ? 1 : 0;
    return name.startsWith("at") ? Number(name.slice(2)) : this.#host.words[Number(name.slice(3))];
  }

  #finish(made: readonly Cell[]): void {
    this.#plan.outputs.forEach((slot, i) => {
      if (slot !== undefined) made[i].fill(this.#slots[slot]?.retain());
    });
    this.#clear();
  }

  #drop(slot: number): void {
    this.#slots[slot]?.release();
    this.#slots[slot] = undefined;
  }

  #clear(): void {
    this.#slots.forEach((_, slot) => {
      this.#drop(slot);
    });
  }
}
