// What a wrong call says. Every operation with inputs of a wrong shape, dtype or kind: an error of ours that names the
// operation, or a result; never a TypeError from inside. The messages are kept as a snapshot.

import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { dtypeOf, tensorOf, valuesOf } from "../../testing/index.ts";
import { samples } from "../ops/samples/index.ts";
import { listOf, operations } from "./operations.ts";

beforeAll(() => S.setBackend("wasm"));

/** What can be wrong with an input. */
const wrongs: Readonly<Record<string, (x: S.Tensor) => unknown>> = {
  "one axis more": (x) => S.broadcastTo(x, [2, ...x.shape]),
  "one axis less": (x) =>
    x.rank === 0
      ? undefined
      : S.select(
          S.pad(
            x,
            x.shape.map(() => [0, 1] as const),
          ),
          0,
          0,
        ),
  "a side longer": (x) =>
    x.rank === 0
      ? undefined
      : S.pad(
          x,
          x.shape.map((_, i) => [0, i === x.rank - 1 ? 1 : 0] as const),
        ),
  "of bool": (x) => S.notEqual(x, 0),
  "of i32": (x) => (x.dtype === "i32" ? S.cast(x, "f32") : S.cast(x, "i32")),
  "an array": () => [1, 2],
  nothing: () => undefined,
  "a text": () => "1",
};

/** The sample's inputs; drawn once and for all, so that the snapshot does not depend on the run's seed. */
const fixed = (name: string) =>
  fc
    .sample(samples[name](24), { numRuns: 12, seed: 5 })
    .find(({ inputs }) => inputs.every(({ shape }) => S.sizeOf(shape) > 0)) ??
  fc.sample(samples[name](24), { numRuns: 1, seed: 5 })[0];

/** What samples call beside their own operation. */
const beside: Readonly<Record<string, readonly string[]>> = {
  searchsorted: ["sort"],
  isNaN: ["sqrt"],
  isInf: ["div"],
  isFinite: ["log"],
  gatherByExpert: ["dispatchByExpert"],
  combineByExpert: ["dispatchByExpert"],
  broadcastTo: ["unsqueeze"],
  scan: ["mul", "add"],
  selectiveScan: ["add"],
};

function saysOf(name: string, wrong: (x: S.Tensor) => unknown, at: number): string | undefined {
  const { inputs, run } = fixed(name);
  const given = inputs.map(({ shape, domain }, i) =>
    tensorOf(valuesOf(domain, S.sizeOf(shape), 1, i), shape, dtypeOf(domain, "f32")),
  );
  const replaced = wrong(given[at]);
  if (replaced === undefined && wrong !== wrongs.nothing) return undefined;
  try {
    const results = listOf(run(...given.with(at, replaced as S.Tensor)));
    for (const result of results) result.dataSync();
    return undefined;
  } catch (error) {
    expect(error, String(error)).toBeInstanceOf(S.SluiceError);
    const { message, op, name: kind } = error as S.SluiceError;
    expect([name, ...(beside[name] ?? [])], message).toContain(op);
    expect(message.startsWith(`${op}: `), message).toBe(true);
    return `${kind}: ${message}`;
  }
}

describe("inputs of a wrong shape, dtype or kind", () => {
  it.each(operations)("%s", (name) => {
    const said: Record<string, string> = {};
    fixed(name).inputs.forEach((_, at) => {
      for (const [what, wrong] of Object.entries(wrongs)) {
        const message = saysOf(name, wrong, at);
        if (message !== undefined) said[`input ${at} ${what}`] = message;
      }
    });
    expect(said).toMatchSnapshot();
  });
});

const x = S.ones([2, 3]);
const index = S.zeros([2, 3], { dtype: "i32" });
/** Every operation that takes an axis, with one it does not have. */
const along: Readonly<Record<string, (axis: number) => unknown>> = {
  sum: (axis) => S.sum(x, axis),
  prod: (axis) => S.prod(x, axis),
  max: (axis) => S.max(x, axis),
  min: (axis) => S.min(x, axis),
  mean: (axis) => S.mean(x, axis),
  any: (axis) => S.any(x, axis),
  all: (axis) => S.all(x, axis),
  argmax: (axis) => S.argmax(x, axis),
  argmin: (axis) => S.argmin(x, axis),
  variance: (axis) => S.variance(x, axis),
  std: (axis) => S.std(x, axis),
  norm: (axis) => S.norm(x, axis),
  logsumexp: (axis) => S.logsumexp(x, axis),
  softmax: (axis) => S.softmax(x, axis),
  logSoftmax: (axis) => S.logSoftmax(x, axis),
  cumsum: (axis) => S.cumsum(x, axis),
  cumprod: (axis) => S.cumprod(x, axis),
  cummax: (axis) => S.cummax(x, axis),
  cummin: (axis) => S.cummin(x, axis),
  logcumsumexp: (axis) => S.logcumsumexp(x, axis),
  argsort: (axis) => S.argsort(x, axis),
  sort: (axis) => S.sort(x, axis),
  squeeze: (axis) => S.squeeze(x, axis),
  unsqueeze: (axis) => S.unsqueeze(x, axis),
  rfft: (axis) => S.rfft(x, axis),
  split: (axis) => S.split(x, 1, axis),
  fft: (axis) => S.fft(S.ones([2, 3, 2]), axis),
  topk: (axis) => S.topk(x, 1, axis),
  flip: (axis) => S.flip(x, axis),
  roll: (axis) => S.roll(x, 1, axis),
  narrow: (axis) => S.narrow(x, axis, 0, 1),
  select: (axis) => S.select(x, axis, 0),
  chunk: (axis) => S.chunk(x, 1, axis),
  concat: (axis) => S.concat([x, x], axis),
  stack: (axis) => S.stack([x, x], axis),
  transpose: (axis) => S.transpose(x, 0, axis),
  moveAxis: (axis) => S.moveAxis(x, 0, axis),
  unflatten: (axis) => S.unflatten(x, axis, [1, -1]),
  repeatInterleave: (axis) => S.repeatInterleave(x, 2, axis),
  gather: (axis) => S.gather(x, axis, index),
  takeAlongAxis: (axis) => S.takeAlongAxis(x, index, axis),
  indexSelect: (axis) => S.indexSelect(x, axis, S.zeros([1], { dtype: "i32" })),
  scatterAdd: (axis) => S.scatterAdd(x, axis, index, x),
  linearRecurrence: (axis) => S.linearRecurrence(x, x, axis),
};

describe("an axis that is not there", () => {
  it.each(Object.keys(along))("%s", (name) => {
    const said = [5, -6, 0.5, Number.NaN].map((axis) => {
      try {
        along[name](axis);
        return `${axis} is taken`;
      } catch (error) {
        expect(error, String(error)).toBeInstanceOf(S.SluiceError);
        expect((error as S.SluiceError).op).toBe(name);
        expect((error as Error).message).toContain(String(axis));
        return (error as Error).message;
      }
    });
    expect(said.filter((message) => message.endsWith("is taken"))).toEqual([]);
    expect(said).toMatchSnapshot();
  });
});

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return String(error);
  }
  return "nothing is wrong";
}

describe("an index that is not there", () => {
  const bad = S.tensor([[0, 7, 0]], { dtype: "i32" });
  const calls: Readonly<Record<string, () => S.Tensor>> = {
    gather: () => S.gather(x, 0, bad),
    takeAlongAxis: () => S.takeAlongAxis(x, bad, 0),
    indexSelect: () => S.indexSelect(x, 0, bad.flatten()),
    scatterAdd: () => S.scatterAdd(x, 0, bad, S.ones([1, 3])),
    bincount: () => S.bincount(bad, { length: 3 }),
    dispatchByExpert: () => S.dispatchByExpert(bad, 4).order,
    groupedMatmul: () => S.groupedMatmul(x, S.ones([2, 3, 1]), bad.flatten().add(0)),
    select: () => S.select(x, 0, 7),
    slice: () => S.slice(x, [7]),
    narrow: () => S.narrow(x, 0, 0, 7),
  };
  it.each(Object.entries(calls))("%s", async (name, call) => {
    const read = () => call().dataSync();
    expect(read).toThrow(S.SluiceError);
    expect(read).toThrow(new RegExp(`^${name}: .*7`));
    expect(read).toThrowErrorMatchingSnapshot();
    const said = messageOf(read);
    expect(messageOf(S.compile(() => call().add(1)))).toBe(said);
    expect(messageOf(() => S.grad((v: S.Tensor) => v.mul(call()).sum())(S.ones([]))[0].dataSync())).toBe(said);
    await S.setBackend("reference");
    try {
      expect(messageOf(read)).toBe(said);
    } finally {
      await S.setBackend("wasm");
    }
  });
});
