// Scans next to elementwise work over the same bytes, next to the same written otherwise, and a GRU training step.
// Run with `npx tsx bench/scan.ts [threads] [fma]`: `fma` asks for relaxed SIMD, as `npm run bench` does. Minima over
// interleaved repeats, milliseconds; the first call apart.

import { composedSelectiveScan } from "../engine/autograd/selective.ts";
import * as S from "../engine/index.ts";
import { selectiveCeilings } from "./selective-ceilings.ts";

if (process.argv.includes("fma")) S.enableRelaxedSimd();
const threads = Number(process.argv[2] ?? 1);
S.setThreads(threads);

interface Entry {
  readonly name: string;
  readonly run: () => void;
  readonly first: number;
  best: number;
}

const entries: Entry[] = [];

const timed = (run: () => void): number => {
  const start = performance.now();
  run();
  return performance.now() - start;
};

/** Times a compiled function whose result stays in the engine's memory: a state, assigned at each call. */
function entry(name: string, f: () => S.Tensor, shape: readonly number[]): void {
  const out = S.zeros(shape);
  const run = S.compile(() => {
    S.assign(out, f());
    return null;
  });
  entries.push({ name, run, first: timed(run), best: Number.POSITIVE_INFINITY });
}

const random = (shape: readonly number[], scale = 1): S.Tensor => {
  const x = S.mul(S.sub(S.rand(shape), 0.5), scale);
  x.dataSync();
  return x.detach();
};

const million = random([2 ** 20]);
entry("cumsum 2^20", () => S.cumsum(million), [2 ** 20]);
entry("cummax 2^20", () => S.cummax(million).values, [2 ** 20]);
entry("2x 2^20", () => S.mul(million, 2), [2 ** 20]);
entry("linearRecurrence 2^20", () => S.linearRecurrence(million, million), [2 ** 20]);

const wide = [4, 1024, 512];
const [a, b, c] = [random(wide), random(wide), random(wide)];
entry("linearRecurrence [4, 1024, 512] axis 1", () => S.linearRecurrence(a, b, 1), wide);
entry(
  "linearRecurrence [2048, 1024] axis 1",
  () => S.linearRecurrence(a.reshape([2048, 1024]), b.reshape([2048, 1024]), 1),
  [2048, 1024],
);
for (const inner of [2, 3, 4, 5, 16, 31, 33, 64, 100]) {
  const shape = [4, Math.floor((1024 * 512) / inner), inner];
  const [x, y] = [random(shape), random(shape)];
  entry(`linearRecurrence [${shape}] axis 1`, () => S.linearRecurrence(x, y, 1), shape);
}
// The bytes of a recurrence, two reads and one write, and a third read.
entry("a + b [4, 1024, 512]", () => S.add(a, b), wide);
entry("a * b + c [4, 1024, 512]", () => S.add(S.mul(a, b), c), wide);
const recurrence = S.grad((x: S.Tensor, y: S.Tensor) => S.sum(S.mul(S.linearRecurrence(x, y, 1), c)));
const gradients = S.compile(() => {
  const [da, db] = recurrence(a, b);
  S.assignAll([
    [dA, da],
    [dB, db],
  ]);
  return null;
});
const [dA, dB] = [S.zeros(wide), S.zeros(wide)];
entries.push({ name: "its gradients (forward included)", run: gradients, first: timed(gradients), best: 1e9 });

const rnn = (length: number): void => {
  const w = random([64, 64], 0.2);
  w.requiresGrad = true;
  const xs = random([length, 16, 64]);
  const g = S.zeros([64, 64]);
  const step = S.compile(() => {
    const [h] = S.scan(
      (state: S.Tensor, x: S.Tensor) => [S.tanh(S.add(S.matmul(state, w), x)), null],
      S.zeros([16, 64]),
      xs,
    );
    w.grad = undefined;
    S.sum(h).backward();
    S.assign(g, w.grad as unknown as S.Tensor);
    return null;
  });
  entries.push({ name: `RNN ${length} steps, gradient`, run: step, first: timed(step), best: 1e9 });
};
rnn(64);
rnn(1024);

const [batch, steps, d] = [64, 50, 64];
const xs = random([steps, batch, d]);
const target = random([batch, d]);
const weights = [random([d, 3 * d], 0.2), random([d, 3 * d], 0.2), random([3 * d], 0.2), random([3 * d], 0.2)];
for (const w of weights) w.requiresGrad = true;

/** A GRU cell after PyTorch's definition; the inputs' share of the gates is one product for all steps. */
function gruStep(): S.Tensor {
  const [w, u, bw, bu] = weights;
  const [h] = S.scan(
    (state: S.Tensor, x: S.Tensor) => {
      const [rx, zx, nx] = S.chunk(x, 3, -1);
      const [rh, zh, nh] = S.chunk(S.add(S.matmul(state, u), bu), 3, -1);
      const r = S.sigmoid(S.add(rx, rh));
      const z = S.sigmoid(S.add(zx, zh));
      const n = S.tanh(S.add(nx, S.mul(r, nh)));
      return [S.add(S.mul(S.sub(1, z), n), S.mul(z, state)), null];
    },
    S.zeros([batch, d]),
    S.add(S.matmul(xs, w), bw),
  );
  const loss = S.mean(S.square(S.sub(h, target)));
  for (const weight of weights) weight.grad = undefined;
  loss.backward();
  S.assignAll(weights.map((weight) => [weight, S.sub(weight, S.mul(weight.grad as S.Tensor, 0.01))]));
  return loss;
}
entry("GRU B 64, T 50, d 64: forward, backward, SGD", () => S.mul(gruStep(), 1), []);

const mamba = { b: 8, t: 256, d: 128, n: 16 };
const whole = [mamba.b, mamba.t, mamba.d];
const ssm = [
  random(whole),
  random(whole, 0.2),
  random([mamba.d, mamba.n]),
  random([mamba.b, mamba.t, mamba.n]),
  random([mamba.b, mamba.t, mamba.n]),
  S.zeros([mamba.b, mamba.d, mamba.n]),
];
type Ssm = (...inputs: S.Tensor[]) => S.Tensor;
const fused: Ssm = (u, delta, A, B, C) => S.selectiveScan(u, delta, A, B, C).y;
const composed: Ssm = (...inputs) => new S.Tensor(composedSelectiveScan(inputs.map((x) => x.node))[0]);
/** A general scan over elementwise operations. */
const stepped: Ssm = (u, delta, A, B, C, h0) => {
  const step = (h: S.Tensor, [x, dt, b1, c1]: S.Tensor[]): [S.Tensor, S.Tensor] => {
    const [rate, drive] = [S.mul(dt.unsqueeze(-1), A), S.mul(S.mul(x, dt).unsqueeze(-1), b1.unsqueeze(1))];
    const next = S.add(S.mul(S.exp(rate), h), drive);
    return [next, S.sum(S.mul(next, c1.unsqueeze(1)), -1)];
  };
  const xs: S.Tensor[] = [u, delta, B, C].map((x) => x.moveAxis(1, 0));
  return S.scan(step, h0, xs)[1].moveAxis(0, 1);
};
const exponentials = random([mamba.b * mamba.t, mamba.d * mamba.n]);
entry("exp, as many as a selective scan has", () => S.sum(S.exp(exponentials), -1), [mamba.b * mamba.t]);
for (const [name, f] of Object.entries({ fused, composed, stepped })) {
  entry(`selectiveScan B 8, L 256, D 128, N 16: ${name}`, () => f(...ssm), whole);
  const gradient = S.grad((...xs: S.Tensor[]) => S.sum(f(...xs)), { argnums: [0, 1, 2, 3, 4] });
  const targets = ssm.slice(0, 5).map((x) => S.zeros(x.shape));
  const step = S.compile(() => {
    const found = gradient(...ssm);
    S.assignAll(targets.map((target, i) => [target, found[i]]));
    return null;
  });
  entries.push({ name: `its gradients: ${name}`, run: step, first: timed(step), best: 1e9 });
}
const sides = { batch: mamba.b, length: mamba.t, channels: mamba.d, states: mamba.n };
const values = ssm.map((x) => Float32Array.from(x.dataSync()));
for (const [name, run] of Object.entries(selectiveCeilings(sides, values))) {
  entries.push({ name: `selectiveScan, 1 thread: ${name}`, run, first: timed(run), best: 1e9 });
}

for (const { run } of entries) for (let spent = 0; spent < 60; ) spent += timed(run);
await new Promise((resolve) => setTimeout(resolve, 200));
for (const start = performance.now(); performance.now() - start < 20_000; ) {
  for (const item of entries) item.best = Math.min(item.best, timed(item.run));
}
console.log(`${threads} thread(s), milliseconds: best, first call`);
for (const { name, best, first } of entries) {
  console.log(`${name.padEnd(48)}${best.toFixed(3).padStart(9)}${first.toFixed(1).padStart(9)}`);
}
