// gpu.js: our kernels against the textbook ones of its README (an output a thread, nothing shared), in the same mode and
// run, values staying on the device. Runs in Node and in a browser.

import {
  type GpuInstance,
  type GpuKernel,
  type Handle,
  loadLibrary,
  type Mode,
} from "../engine/backends/gpu/library.ts";
import * as S from "../engine/index.ts";

export type { Mode } from "../engine/backends/gpu/library.ts";

/** Times of one contest: minima over the rounds, in ms. */
export interface Outcome {
  readonly name: string;
  readonly ours: number;
  readonly textbook: number;
  /** How many times faster ours is to be, where that was promised. */
  readonly wanted: number | undefined;
  /** The largest difference of the two results, relative to the largest value. */
  readonly difference: number;
}

/** What one mode gave. */
export interface ModeReport {
  readonly mode: Mode;
  readonly adapter: string;
  readonly software: boolean;
  readonly outcomes: readonly Outcome[];
}

interface Contender {
  /** Runs once and leaves the result on the device. */
  run(): unknown;
  /** Waits for all that was started, and reads the last result. */
  finish(): Promise<ArrayLike<number>>;
}

interface Contest {
  readonly name: string;
  readonly wanted: number | undefined;
  readonly ours: Contender;
  readonly textbook: Contender;
}

const matmulWanted: Partial<Record<Mode, number>> = { webgpu: 3.5, webasm: 1.7, webgl2: 1.4 };
const recurrenceWanted: Partial<Record<Mode, number>> = { webgpu: 40, webasm: 40, webgl2: 40, cpu: 40 };

const values = (count: number, salt: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * 0.7 + salt) * 0.5);

/** Kernels of gpu.js as its README makes them, fed with handles so that no upload counts. */
class Textbook {
  readonly mode: Mode;
  readonly #gpu: GpuInstance;

  constructor(mode: Mode, gpu: GpuInstance) {
    this.mode = mode;
    this.#gpu = gpu;
  }

  kernel(source: string, output: readonly number[], pipeline = true): GpuKernel {
    return this.#gpu.createKernel(source, {
      ...{ output, pipeline, immutable: false, precision: "single", tactic: "precision" },
      ...{ loopMaxIterations: 2 ** 20, functions: [] },
    });
  }

  /** Rows of a matrix on the device. */
  async upload(host: Float32Array, width: number): Promise<Handle> {
    const source = `function copy(a) { return a[this.thread.y * ${width} + this.thread.x]; }`;
    return this.kernel(source, [width, host.length / width])(host);
  }

  contender(kernel: GpuKernel, args: readonly Handle[], length: number): Contender {
    let last: Handle | Promise<Handle> | undefined;
    // WebGL reads a handle through a kernel that returns its values: toArray() takes twice as long, see device.ts.
    const copy = this.mode.startsWith("webgl")
      ? this.kernel("function read(a) { return a[this.thread.x]; }", [length], false)
      : undefined;
    return {
      run: () => {
        last = kernel(...args);
        return last;
      },
      finish: async () => {
        const handle = (await last) as Handle | readonly Float32Array[];
        if (Array.isArray(handle)) return Float32Array.from(handle.flatMap((row) => Array.from(row as Float32Array)));
        if (copy !== undefined) return copy(handle as Handle) as Float32Array;
        const rows = "toArray" in handle ? await handle.toArray() : (handle as Float32Array);
        return rows.length === length
          ? rows
          : Float32Array.from([...(rows as unknown as readonly Float32Array[])].flatMap((row) => Array.from(row)));
      },
    };
  }
}

function ours(step: () => S.Tensor): Contender {
  let last: S.Tensor | undefined;
  return {
    run: () => {
      last = step();
    },
    finish: async () => (last === undefined ? [] : last.data()),
  };
}

async function matmul(textbook: Textbook, n: number): Promise<Contest> {
  const [a, b] = [values(n * n, 1), values(n * n, 2)];
  const [x, y] = [S.tensor(a, { shape: [n, n] }), S.tensor(b, { shape: [n, n] })];
  const product = S.compile((p: S.Tensor, q: S.Tensor) => S.matmul(p, q));
  const source = `function multiply(a, b) {
    let sum = 0;
    for (let k = 0; k < ${n}; k++) { sum += a[this.thread.y][k] * b[k][this.thread.x]; }
    return sum;
  }`;
  const args = [await textbook.upload(a, n), await textbook.upload(b, n)];
  return {
    name: `matmul ${n}`,
    wanted: matmulWanted[textbook.mode],
    ours: ours(() => product(x, y)),
    textbook: textbook.contender(textbook.kernel(source, [n, n]), args, n * n),
  };
}

async function recurrence(textbook: Textbook): Promise<Contest> {
  const [channels, length] = [8, 4096];
  const a = values(channels * length, 3).map((v) => 0.9 + v * 0.1);
  const b = values(channels * length, 4);
  const [x, y] = [S.tensor(a, { shape: [channels, length] }), S.tensor(b, { shape: [channels, length] })];
  const scan = S.compile((p: S.Tensor, q: S.Tensor) => S.linearRecurrence(p, q, 1));
  // Every output replays its own past from the start.
  const source = `function replay(a, b) {
    let h = 0;
    for (let t = 0; t <= this.thread.x; t++) { h = a[this.thread.y][t] * h + b[this.thread.y][t]; }
    return h;
  }`;
  const args = [await textbook.upload(a, length), await textbook.upload(b, length)];
  return {
    name: `linear recurrence ${channels} x ${length}`,
    wanted: recurrenceWanted[textbook.mode],
    ours: ours(() => scan(x, y)),
    textbook: textbook.contender(textbook.kernel(source, [length, channels]), args, channels * length),
  };
}

/** The contenders in turns, so that whatever else the machine does hits both; the best time of each. */
async function race({ name, wanted, ours, textbook }: Contest, rounds: number): Promise<Outcome> {
  const contenders = [ours, textbook];
  const results: ArrayLike<number>[] = [];
  for (const contender of contenders) {
    await contender.run();
    results.push(await contender.finish());
  }
  const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < rounds; round++) {
    for (const [i, { run, finish }] of contenders.entries()) {
      const runs = Math.min(64, Math.max(1, Math.round(120 / best[i])));
      const start = performance.now();
      for (let at = 0; at < runs; at++) await run();
      await finish();
      best[i] = Math.min(best[i], (performance.now() - start) / runs);
    }
  }
  return { name, wanted, ours: best[0], textbook: best[1], difference: differenceOf(results[0], results[1]) };
}

function differenceOf(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let [scale, largest] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    scale = Math.max(scale, Math.abs(a[i]));
    largest = Math.max(largest, Math.abs(a[i] - b[i]));
  }
  return largest / scale;
}

/** Runs all contests in a mode. Throws what `setBackend` throws where there is no such mode. */
export async function contend(mode: Mode, rounds: number): Promise<ModeReport> {
  await S.setBackend("gpu", { mode });
  const { GPU } = await loadLibrary();
  const textbook = new Textbook(mode, new GPU({ mode }));
  const contests = [() => matmul(textbook, 256), () => matmul(textbook, 512), () => recurrence(textbook)];
  const outcomes: Outcome[] = [];
  for (const contest of contests) outcomes.push(await race(await contest(), rounds));
  const info = S.gpuInfo();
  return { mode, adapter: info?.adapter ?? "unknown", software: info?.software ?? true, outcomes };
}
