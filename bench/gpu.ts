// gpu.js: our kernels against the textbook ones of its README (an output a thread, nothing shared), in the same mode and
// run, values staying on the device. `npx tsx bench/gpu.ts [mode ...]`; default: webasm cpu, and webgpu where it is had.

import { type GpuInstance, type GpuKernel, type Handle, loadLibrary } from "../engine/backends/gpu/library.ts";
import * as S from "../engine/index.ts";

interface Contest {
  readonly name: string;
  /** Runs once and leaves the result on the device; `finish` waits for all that was started. */
  readonly ours: { run(): void; finish(): Promise<unknown> };
  readonly textbook: { run(): unknown; finish(): Promise<unknown> };
}

const values = (count: number, salt: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * 0.7 + salt) * 0.5);

/** A kernel of gpu.js as its README makes them, fed with handles so that no upload counts. */
class Textbook {
  readonly #gpu: GpuInstance;
  #last: Handle | Promise<Handle> | undefined;

  constructor(gpu: GpuInstance) {
    this.#gpu = gpu;
  }

  kernel(source: string, output: readonly number[]): GpuKernel {
    return this.#gpu.createKernel(source, {
      ...{ output, pipeline: true, immutable: false, precision: "single", tactic: "precision" },
      ...{ loopMaxIterations: 2 ** 20, functions: [] },
    });
  }

  /** Rows of a matrix on the device. */
  async upload(host: Float32Array, width: number): Promise<Handle> {
    const height = host.length / width;
    const source = `function copy(a) { return a[this.thread.y * ${width} + this.thread.x]; }`;
    return this.kernel(source, [width, height])(host);
  }

  contender(kernel: GpuKernel, args: readonly Handle[]): Contest["textbook"] {
    return {
      run: () => {
        this.#last = kernel(...args);
        return this.#last instanceof Promise ? this.#last : undefined;
      },
      finish: async () => {
        const result = await this.#last;
        if (result !== undefined && "toArray" in result) await result.toArray();
      },
    };
  }
}

function ours(step: () => S.Tensor): Contest["ours"] {
  let last: S.Tensor | undefined;
  return {
    run: () => {
      last = step();
    },
    finish: async () => last?.data(),
  };
}

async function matmul(gpu: GpuInstance, n: number): Promise<Contest> {
  const [a, b] = [values(n * n, 1), values(n * n, 2)];
  const [x, y] = [S.tensor(a, { shape: [n, n] }), S.tensor(b, { shape: [n, n] })];
  const product = S.compile((p: S.Tensor, q: S.Tensor) => S.matmul(p, q));
  const textbook = new Textbook(gpu);
  const source = `function multiply(a, b) {
    let sum = 0;
    for (let k = 0; k < ${n}; k++) { sum += a[this.thread.y][k] * b[k][this.thread.x]; }
    return sum;
  }`;
  const args = [await textbook.upload(a, n), await textbook.upload(b, n)];
  return {
    name: `matmul ${n}`,
    ours: ours(() => product(x, y)),
    textbook: textbook.contender(textbook.kernel(source, [n, n]), args),
  };
}

async function recurrence(gpu: GpuInstance): Promise<Contest> {
  const [channels, length] = [8, 4096];
  const a = values(channels * length, 3).map((v) => 0.9 + v * 0.1);
  const b = values(channels * length, 4);
  const [x, y] = [S.tensor(a, { shape: [channels, length] }), S.tensor(b, { shape: [channels, length] })];
  const scan = S.compile((p: S.Tensor, q: S.Tensor) => S.linearRecurrence(p, q, 1));
  const textbook = new Textbook(gpu);
  // Every output replays time from the start; steps that are not its past leave the state alone.
  const source = `function replay(a, b) {
    let h = 0;
    for (let t = 0; t < ${length}; t++) {
      if (t <= this.thread.x) { h = a[this.thread.y][t] * h + b[this.thread.y][t]; }
    }
    return h;
  }`;
  const args = [await textbook.upload(a, length), await textbook.upload(b, length)];
  return {
    name: `linear recurrence ${channels} x ${length}`,
    ours: ours(() => scan(x, y)),
    textbook: textbook.contender(textbook.kernel(source, [length, channels]), args),
  };
}

type Contender = Contest["ours"] | Contest["textbook"];

/** Rounds, taken in turns so that whatever else the machine does hits both. */
const rounds = 4;

/** Best times of a run in ms, ours and theirs, over a few rounds of enough runs to measure. */
async function race({ ours, textbook }: Contest): Promise<[ours: number, textbook: number]> {
  const contenders: Contender[] = [ours, textbook];
  const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const { run, finish } of contenders) {
    await run();
    await finish();
  }
  for (let round = 0; round < rounds; round++) {
    for (const [i, { run, finish }] of contenders.entries()) {
      const runs = Math.min(64, Math.max(1, Math.round(120 / best[i])));
      const start = performance.now();
      for (let at = 0; at < runs; at++) await run();
      await finish();
      best[i] = Math.min(best[i], (performance.now() - start) / runs);
    }
  }
  return [best[0], best[1]];
}

const wanted = process.argv.slice(2) as Exclude<S.GpuMode, "auto">[];
for (const mode of wanted.length > 0 ? wanted : (["webasm", "cpu", "webgpu"] as const)) {
  try {
    await S.setBackend("gpu", { mode });
  } catch (error) {
    console.log(`${mode}: ${error instanceof Error ? error.message : error}`);
    continue;
  }
  const { GPU } = await loadLibrary();
  const gpu = new GPU({ mode });
  console.log(`${mode}, ${S.gpuInfo()?.adapter}`);
  for (const make of [() => matmul(gpu, 256), () => matmul(gpu, 512), () => recurrence(gpu)]) {
    const contest = await make();
    const [mine, theirs] = await race(contest);
    const ratio = (theirs / mine).toFixed(2);
    console.log(`  ${contest.name.padEnd(32)} ${mine.toFixed(2)} ms, textbook ${theirs.toFixed(2)} ms: ${ratio}x`);
  }
}
