// The live display of a run: a bar on a terminal; elsewhere a plain line every few seconds, without control codes.
import { MultiBar, Presets, type SingleBar } from "cli-progress";
import type { ProgressEvent } from "./runner.ts";

const LINE_EVERY_MS = 5000;

/** Where the display writes; `isTTY` chooses the bar. */
export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

export interface Progress {
  update(event: ProgressEvent): void;
  log(message: string): void;
  /** Removes the bar. Call it before anything else is written. */
  stop(): void;
}

/** "1 h 02 min", "3 min 20 s", "45 s". */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s >= 3600) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  return s >= 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : seconds < 10 ? `${seconds.toFixed(1)} s` : `${s} s`;
}

/** The texts of an event; a step without metrics repeats the last one of its trial. */
class Describer {
  #index = -1;
  #metric = "";

  texts(event: ProgressEvent): Record<"what" | "metric" | "pace" | "left", string> {
    const { plan, metric, value, stepsPerSecond, secondsLeft } = event;
    if (event.index !== this.#index) this.#metric = "";
    this.#index = event.index;
    if (metric !== undefined && value !== undefined) this.#metric = `${metric} ${value.toPrecision(4)}`;
    return {
      what: `[${event.index + 1}/${event.trials}] ${plan.task} / ${plan.arm}, seed ${plan.seed}`,
      metric: this.#metric,
      pace: `${stepsPerSecond.toPrecision(3)} steps/s`,
      left: secondsLeft === undefined ? "" : `${duration(secondsLeft)} left`,
    };
  }
}

export function createProgress(stream: ProgressStream): Progress {
  return stream.isTTY ? new BarProgress(stream) : new LineProgress(stream);
}

class BarProgress implements Progress {
  readonly #bars: MultiBar;
  readonly #describer = new Describer();
  #bar: SingleBar | undefined;

  constructor(stream: NodeJS.WritableStream) {
    const format = "{bar} {value}/{total}  {what}  {metric}  {pace}  {left}";
    this.#bars = new MultiBar(
      {
        stream,
        format,
        barsize: 24,
        gracefulExit: false,
        clearOnComplete: true,
        emptyOnZero: true,
        fps: 8,
      },
      Presets.shades_classic,
    );
  }

  update(event: ProgressEvent): void {
    const payload = this.#describer.texts(event);
    this.#bar ??= this.#bars.create(event.plan.steps, 0, payload);
    this.#bar.setTotal(event.plan.steps);
    this.#bar.update(event.step, payload);
  }

  log(message: string): void {
    this.#bars.log(`${message}\n`);
    this.#bars.update();
  }

  stop(): void {
    this.#bars.stop();
  }
}

class LineProgress implements Progress {
  readonly #stream: NodeJS.WritableStream;
  readonly #describer = new Describer();
  #last = performance.now();

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
  }

  update(event: ProgressEvent): void {
    const { what, metric, pace, left } = this.#describer.texts(event);
    const ended = event.step >= event.plan.steps;
    if (!ended && performance.now() - this.#last < LINE_EVERY_MS) return;
    this.#last = performance.now();
    const parts = [what, `step ${event.step}/${event.plan.steps}`, metric, pace, left];
    this.#stream.write(`${parts.filter((part) => part !== "").join("  ")}\n`);
  }

  log(message: string): void {
    this.#stream.write(`${message}\n`);
  }

  stop(): void {}
}
