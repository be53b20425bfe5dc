// The selective scan and its gradient: linear scans over [batch, length, channels, states], and sums of what they give.
// The states of all steps are in memory; the gradient makes them again.

import type { ScanKernel, SelectiveKernel } from "../../compile/ir.ts";
import { foldRows } from "./fold.ts";
import { emitScan } from "./scan.ts";
import type { Steps } from "./steps.ts";
import type { Writer } from "./writer.ts";

/** Steps one thread adds up. */
const sumLength = 128;

/** Emits either; returns the slots of the results, in the order of the kernel's arguments. */
export function emitSelective(
  steps: Steps,
  kernel: SelectiveKernel,
  slots: readonly number[],
  borders: number,
): number[] {
  const scan = new Selective(steps, kernel, slots);
  return kernel.gradient ? scan.gradients() : scan.results(borders);
}

interface At {
  /** Position in u and delta. */
  readonly step: string;
  /** Position in B and C. */
  readonly shared: string;
  /** Position in A. */
  readonly rate: string;
  /** Position in h0. */
  readonly state: string;
  /** Position in the states of all steps. */
  readonly all: string;
}

class Selective {
  readonly #steps: Steps;
  readonly #kernel: SelectiveKernel;
  readonly #slots: readonly number[];

  constructor(steps: Steps, kernel: SelectiveKernel, slots: readonly number[]) {
    this.#steps = steps;
    this.#kernel = kernel;
    this.#slots = slots;
  }

  #at(w: Writer, i: string, t: string, d: string, n: string): At {
    const { length, channels, states } = this.#kernel;
    const row = w.const(`${i} * ${length} + ${t}`);
    const step = w.const(`${row} * ${channels} + ${d}`);
    return {
      step,
      shared: `${row} * ${states} + ${n}`,
      rate: `${d} * ${states} + ${n}`,
      state: `(${i} * ${channels} + ${d}) * ${states} + ${n}`,
      all: `${step} * ${states} + ${n}`,
    };
  }

  /** A kernel with an element per state and step. */
  #everywhere(purpose: string, value: (w: Writer, at: At, t: string) => string): number {
    const { batch, length, channels, states } = this.#kernel;
    const sides = [batch, length, channels, states];
    const size = batch * length * channels * states;
    return this.#steps.emit(purpose, size, (w) => {
      const [i, t, d, n] = w.unravel(w.const("this.thread.x"), sides);
      return value(w, this.#at(w, i, t, d, n), t);
    });
  }

  #decays(): number {
    const [, delta, a] = this.#slots;
    return this.#everywhere("the decays of a selective scan", (w, at) => {
      const exponent = w.const(`${w.read(delta, at.step)} * ${w.read(a, at.rate)}`);
      return w.const(`${w.helper("slExp")}(${exponent}, ${w.scalar("inf")})`);
    });
  }

  #states(decays: number): number {
    const [u, delta, , b, , h0] = this.#slots;
    const drive = this.#everywhere("the inputs of a selective scan", (w, at, t) => {
      const value = w.let(`${w.read(delta, at.step)} * ${w.read(u, at.step)} * ${w.read(b, at.shared)}`);
      // The first step takes the initial state over.
      w.if(`${t} < 0.5`, () => w.line(`${value} = ${value} + ${w.read(decays, at.all)} * ${w.read(h0, at.state)};`));
      return value;
    });
    return emitScan(this.#steps, this.#linear(false), [decays, drive]);
  }

  #linear(reverse: boolean): ScanKernel {
    const { batch, length, channels, states } = this.#kernel;
    const sides = { outer: batch, length, inner: channels * states };
    return { kind: "scan", fn: "linear", dtype: "f32", ...sides, reverse, lag: reverse, args: [] };
  }

  results(borders: number): number[] {
    const { batch, length, channels, states } = this.#kernel;
    const c = this.#slots[4];
    const h = this.#states(this.#decays());
    const y = this.#steps.emit("a selective scan's result", batch * length * channels, (w) => {
      const [i, t, d] = w.unravel(w.const("this.thread.x"), [batch, length, channels]);
      const sum = w.let("0");
      w.loop(states, (n) => {
        const at = this.#at(w, i, t, d, n);
        w.line(`${sum} = ${sum} + ${w.read(c, at.shared)} * ${w.read(h, at.all)};`);
      });
      return sum;
    });
    const last = this.#perState("a selective scan's last state", (w, i, d, n) =>
      w.const(w.read(length === 0 ? this.#slots[5] : h, this.#end(w, i, d, n))),
    );
    // Only this kernel's gradient would read them, and it does not.
    const none = this.#steps.emit("border states that are not kept", borders, (w) => w.let("0"));
    return [y, last, none];
  }

  #end(w: Writer, i: string, d: string, n: string): string {
    const at = this.#at(w, i, String(Math.max(0, this.#kernel.length - 1)), d, n);
    return this.#kernel.length === 0 ? at.state : at.all;
  }

  #perState(purpose: string, value: (w: Writer, i: string, d: string, n: string) => string): number {
    const { batch, channels, states } = this.#kernel;
    return this.#steps.emit(purpose, batch * channels * states, (w) => {
      const [i, d, n] = w.unravel(w.const("this.thread.x"), [batch, channels, states]);
      return value(w, i, d, n);
    });
  }

  gradients(): number[] {
    const { batch, length, channels, states } = this.#kernel;
    const [u, delta, a, b, c, h0, , gy, gLast] = this.#slots;
    const decays = this.#decays();
    const h = this.#states(decays);
    const source = this.#everywhere("what flows into a selective scan's states", (w, at, t) => {
      const value = w.let(`${w.read(gy, at.step)} * ${w.read(c, at.shared)}`);
      w.if(`${t} > ${length - 1.5}`, () => w.line(`${value} = ${value} + ${w.read(gLast, at.state)};`));
      return value;
    });
    const g = emitScan(this.#steps, this.#linear(true), [decays, source]);
    /** The state before a step. */
    const before = (w: Writer, at: At, t: string): string => {
      const value = w.let(w.read(h0, at.state));
      const previous = w.const(`Math.max(0, ${at.all} - ${channels * states})`);
      w.if(`${t} > 0.5`, () => w.line(`${value} = ${w.read(h, previous)};`));
      return value;
    };
    const overStates = (term: (w: Writer, at: At, t: string) => string): number =>
      this.#steps.emit("a selective scan's gradient", batch * length * channels, (w) => {
        const [i, t, d] = w.unravel(w.const("this.thread.x"), [batch, length, channels]);
        const sum = w.let("0");
        w.loop(states, (n) => {
          const value = term(w, this.#at(w, i, t, d, n), t);
          w.line(`${sum} = ${sum} + ${value};`);
        });
        return sum;
      });
    const du = overStates((w, at) => `${w.read(g, at.all)} * ${w.read(delta, at.step)} * ${w.read(b, at.shared)}`);
    const dDelta = overStates((w, at, t) => {
      const decayed = w.const(`${before(w, at, t)} * ${w.read(decays, at.all)} * ${w.read(a, at.rate)}`);
      return `${w.read(g, at.all)} * (${decayed} + ${w.read(b, at.shared)} * ${w.read(u, at.step)})`;
    });
    const dA = this.#overTime((w, at, t) => {
      const decayed = w.const(`${before(w, at, t)} * ${w.read(decays, at.all)}`);
      return `${w.read(g, at.all)} * ${decayed} * ${w.read(delta, at.step)}`;
    });
    const dB = this.#overChannels(
      (w, at) => `${w.read(g, at.all)} * ${w.read(delta, at.step)} * ${w.read(u, at.step)}`,
    );
    const dC = this.#overChannels((w, at) => `${w.read(gy, at.step)} * ${w.read(h, at.all)}`);
    const dState = this.#perState("a selective scan's gradient", (w, i, d, n) => {
      const at = this.#at(w, i, "0", d, n);
      if (length === 0) return w.const(w.read(gLast, at.state));
      return w.const(`${w.read(g, at.all)} * ${w.read(decays, at.all)}`);
    });
    return [du, dDelta, dA, dB, dC, dState];
  }

  /** Sums over the steps, for each state; in stages. */
  #overTime(term: (w: Writer, at: At, t: string) => string): number {
    const { batch, length, channels, states } = this.#kernel;
    const chunks = Math.max(1, Math.ceil(length / sumLength));
    const each = Math.ceil(length / chunks);
    const rows = batch * channels * states;
    const first = this.#steps.emit("a selective scan's gradient", rows * chunks, (w) => {
      const [i, d, n, chunk] = w.unravel(w.const("this.thread.x"), [batch, channels, states, chunks]);
      const sum = w.let("0");
      w.loop(each, (k) => {
        const t = w.const(`Math.min(${length - 1}, ${chunk} * ${each} + ${k})`);
        w.if(`${chunk} * ${each} + ${k} < ${length}`, () => {
          const value = term(w, this.#at(w, i, t, d, n), t);
          w.line(`${sum} = ${sum} + ${value};`);
        });
      });
      return sum;
    });
    return foldRows(this.#steps, "sum", "f32", first, rows, chunks);
  }

  /** Sums over each group of channels, for each step and state. */
  #overChannels(term: (w: Writer, at: At) => string): number {
    const { batch, length, channels, states, group } = this.#kernel;
    const groups = Math.ceil(channels / group);
    return this.#steps.emit("a selective scan's gradient", groups * batch * length * states, (w) => {
      const [which, i, t, n] = w.unravel(w.const("this.thread.x"), [groups, batch, length, states]);
      const sum = w.let("0");
      w.loop(Math.min(group, channels), (k) => {
        const d = w.const(`Math.min(${channels - 1}, ${which} * ${group} + ${k})`);
        w.if(`${which} * ${group} + ${k} < ${channels}`, () => {
          w.line(`${sum} = ${sum} + ${term(w, this.#at(w, i, t, d, n))};`);
        });
      });
      return sum;
    });
  }
}
