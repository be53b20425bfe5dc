// Milliseconds and GFLOP/s of convolutions and grouped products, forward and with both gradients, on one thread.
// Run with `npx tsx bench/conv.ts`; `... fma` turns relaxed multiply-add on first. Minima over interleaved rounds.

import * as S from "../engine/index.ts";

if (process.argv.includes("fma")) S.enableRelaxedSimd();
await S.setBackend("wasm");
S.setThreads(1);

/** A tensor that stays where the programs are, as parameters do. */
function resident(shape: readonly number[], seed: number): S.Tensor {
  let state = seed;
  const values = Float32Array.from({ length: S.sizeOf(shape) }, () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x7fffffff - 0.5;
  });
  const tensor = S.tensor(values, { shape });
  tensor.requiresGrad = true;
  return tensor;
}

/** One element: that the rest is computed is seen to by kernels that are all or nothing; reading results is not timed. */
const touch = (x: S.Tensor): S.Tensor => x.flatten().narrow(0, 0, 1);

interface Entry {
  readonly name: string;
  readonly flop: number;
  readonly run: () => unknown;
  best: number;
}

function entries(
  name: string,
  flop: number,
  fn: (...xs: S.Tensor[]) => S.Tensor,
  inputs: readonly S.Tensor[],
): Entry[] {
  const seed = resident(fn(...inputs).shape, 9);
  const forward = S.compile(() => touch(fn(...inputs)));
  const both = S.compile(() => {
    const [y, pull] = S.vjp(fn, ...inputs);
    return [y, ...pull(seed)].map(touch);
  });
  if (process.argv.includes("explain")) {
    both();
    console.log(name, both.explain());
  }
  return [
    { name: `${name}, forward`, flop, run: forward, best: Number.POSITIVE_INFINITY },
    { name: `${name}, with gradients`, flop: 3 * flop, run: both, best: Number.POSITIVE_INFINITY },
  ];
}

interface ConvSpec {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly options?: S.ConvOptions;
}

function conv({ x, w, options = {} }: ConvSpec): Entry[] {
  const inputs = [resident(x, 1), resident(w, 2)];
  const fn = w.length === 4 ? S.conv2d : S.conv1d;
  const y = fn(inputs[0], inputs[1], options);
  const flop = 2 * y.size * S.sizeOf(w.slice(1));
  const extra = Object.entries(options).map(([key, value]) => ` ${key} ${value}`);
  return entries(`conv [${x}] * [${w}]${extra.join("")}`, flop, (a, b) => fn(a, b, options), inputs);
}

function grouped(): Entry[] {
  const [rows, k, n, experts] = [4096, 256, 512, 8];
  const offsets = S.tensor(Int32Array.of(0, 1100, 1130, 1130, 2077, 2500, 3300, 3303, rows));
  const [x, w, one] = [resident([rows, k], 1), resident([experts, k, n], 2), resident([k, n], 3)];
  const flop = 2 * rows * k * n;
  return [
    ...entries(`dense [${rows}, ${k}] x [${k}, ${n}]`, flop, (a, b) => a.matmul(b), [x, one]),
    ...entries(`grouped, ${experts} experts, uneven`, flop, (a, b) => S.groupedMatmul(a, b, offsets), [x, w]),
  ];
}

const image = [8, 16, 32, 32];
const plane = [8, 64, 56, 56];
const all = [
  ...conv({ x: image, w: [32, 16, 3, 3], options: { padding: 1 } }),
  ...conv({ x: image, w: [32, 16, 3, 3], options: { padding: 1, stride: 2 } }),
  ...conv({ x: image, w: [32, 16, 1, 1] }),
  ...conv({ x: [8, 64, 28, 28], w: [64, 64, 3, 3], options: { padding: 1 } }),
  ...conv({ x: [8, 3, 64, 64], w: [64, 3, 8, 8], options: { stride: 8 } }),
  ...conv({ x: plane, w: [64, 1, 7, 7], options: { padding: 3, groups: 64 } }),
  ...conv({ x: plane, w: [64, 1, 3, 3], options: { padding: 1, groups: 64 } }),
  ...conv({ x: plane, w: [64, 1, 3, 3], options: { padding: 1, groups: 64, stride: 2 } }),
  ...conv({ x: [8, 256, 512], w: [256, 1, 4], options: { padding: "causal", groups: 256 } }),
  ...entries("maxPool2d(2)", 0, (x) => S.maxPool2d(x, 2), [resident(plane, 1)]),
  ...entries("maxPool2d(3, stride 2)", 0, (x) => S.maxPool2d(x, 3, { stride: 2, padding: 1 }), [resident(plane, 1)]),
  ...entries("avgPool2d(2)", 0, (x) => S.avgPool2d(x, 2), [resident(plane, 1)]),
  ...grouped(),
];

const wanted = process.argv.find((arg) => arg.startsWith("only="))?.slice(5);
const chosen = all.filter((entry) => wanted === undefined || entry.name.includes(wanted));
const timed = (entry: Entry): number => {
  const start = performance.now();
  entry.run();
  return performance.now() - start;
};
// Enough calls for V8 to put every kernel through its optimizing compiler, which works beside us.
for (const entry of chosen) for (let spent = 0; spent < 150; ) spent += timed(entry);
await new Promise((resolve) => setTimeout(resolve, 100));
for (const start = performance.now(); performance.now() - start < 500 * chosen.length; )
  for (const entry of chosen) entry.best = Math.min(entry.best, timed(entry));

console.log(`one thread, ${process.argv.includes("fma") ? "relaxed FMA" : "default flags"}`);
for (const { name, flop, best } of chosen) {
  const rate = flop === 0 ? "" : `${(flop / best / 1e6).toFixed(1).padStart(7)} GFLOP/s`;
  console.log(`${name.padEnd(76)}${best.toFixed(3).padStart(8)} ms${rate}`);
}
process.exit(0);
