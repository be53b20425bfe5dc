// Parameter counts: the published ones exactly, and the arithmetic behind them against models that are really made.

import fc from "fast-check";
import { expect, test } from "vitest";
import { compile, explain, setBackend, type Tensor } from "../../../engine/index.ts";
import type { ModuleRow } from "../../../papers/paper.ts";
import {
  bert4RecRows,
  describePublished,
  gru4RecRows,
  mamba4RecRows,
  published,
  sasRecRows,
  sigmaRows,
} from "../../../papers/sigma/describe.ts";
import {
  BERT4Rec,
  GRU4Rec,
  Mamba4Rec,
  padHistories,
  type Recommender,
  SASRec,
  Sigma,
} from "../../../papers/sigma/model/index.ts";

const total = (rows: readonly ModuleRow[], what: "parameters" | "multiplyAdds" = "parameters"): number =>
  rows.reduce((sum, row) => sum + row[what], 0);

test.each(published)("$name has the published count", (model) => {
  const unused = "unused" in model ? (model.unused ?? 0) : 0;
  expect(total(model.rows)).toBe(model.logged - unused);
});

test("counts that follow from the published formulas", () => {
  expect(total(sigmaRows({ items: 12_102 }))).toBe(912_707);
  expect(total(sigmaRows({ items: 12_102, gate: "release" }))).toBe(904_515);
  expect(total(sigmaRows({ items: 12_102, deltaTied: false }))).toBe(912_707 + 64 * 64 + 64);
  expect(mamba4RecRows({ items: 10 }).find(({ type }) => type === "Mamba")?.parameters).toBe(38_784);
  // The reference model of this reproduction.
  const small = { items: 201, size: 32, states: 8 };
  expect(total(sigmaRows(small))).toBe(33_507 + 32 * 201);
  expect(total(mamba4RecRows(small))).toBe(16_928 + 32 * 201);
});

test("what is described is what was counted", () => {
  const { models } = describePublished();
  expect(models.length).toBe(published.length + 1);
  for (const { note, modules } of models) expect(note).toContain(String(total(modules)));
});

/** A model's own count, and its names for the message of a failure. */
function agrees(model: Recommender, rows: readonly ModuleRow[]): void {
  const made = model.namedParameters();
  const sum = made.reduce((count, [, parameter]) => count + parameter.size, 0);
  expect(total(rows), made.map(([name, { shape }]) => `${name} [${shape}]`).join(", ")).toBe(sum);
}

const common = {
  items: fc.integer({ min: 2, max: 30 }),
  size: fc.integer({ min: 1, max: 20 }),
  layers: fc.integer({ min: 1, max: 3 }),
  maxLength: fc.integer({ min: 1, max: 9 }),
};
const mamba = {
  states: fc.integer({ min: 1, max: 5 }),
  taps: fc.integer({ min: 1, max: 4 }),
  expand: fc.integer({ min: 1, max: 3 }),
};

test("the arithmetic agrees with models that are made: SIGMA in all its forms, Mamba4Rec", () => {
  const options = fc.record({
    ...common,
    ...mamba,
    gate: fc.constantFrom("paper", "release", "scalar", "off"),
    deltaTied: fc.boolean(),
    featureExtract: fc.constantFrom("gru", "conv", "off"),
    projection: fc.boolean(),
    tieDirections: fc.boolean(),
    flipMode: fc.constantFrom("valid", "padded", "off"),
  } as const);
  fc.assert(
    fc.property(options, (given) => agrees(new Sigma(given), sigmaRows(given))),
    { numRuns: 40 },
  );
  fc.assert(
    fc.property(fc.record({ ...common, ...mamba }), (given) => agrees(new Mamba4Rec(given), mamba4RecRows(given))),
    { numRuns: 20 },
  );
});

test("the arithmetic agrees with models that are made: GRU4Rec, SASRec, BERT4Rec", () => {
  const options = fc.record({
    ...common,
    hidden: fc.integer({ min: 1, max: 9 }),
    inner: fc.integer({ min: 1, max: 9 }),
  });
  fc.assert(
    fc.property(options, (given) => {
      const attention = { ...given, size: 2 * given.size, heads: 2 };
      agrees(new GRU4Rec(given), gru4RecRows(given));
      agrees(new SASRec(attention), sasRecRows(attention));
      agrees(new BERT4Rec(attention), bert4RecRows(attention));
    }),
    { numRuns: 20 },
  );
});

test("work grows with the length: by as much a position for the scan, as its square for attention", () => {
  const work = (rows: readonly ModuleRow[], type?: string): number =>
    total(
      rows.filter((row) => type === undefined || row.type === type),
      "multiplyAdds",
    );
  const sizes = (maxLength: number) => ({ items: 100, maxLength });
  for (const rowsOf of [mamba4RecRows, sigmaRows]) {
    const [one, two, three] = [1, 2, 3].map((times) => work(rowsOf(sizes(64 * times))));
    expect(three - two).toBe(two - one);
    expect(two).toBeGreaterThan(one);
  }
  // The projections apart, scores and mixing are pairs of positions.
  const pairs = (length: number): number =>
    work(sasRecRows(sizes(length)), "MultiHeadAttention") - 2 * length * 4 * 64 * 64;
  for (const length of [16, 64, 1024]) expect(pairs(2 * length)).toBe(4 * pairs(length));
});

/** Multiply-adds of all products in a compiled program, those of repeated steps as often as they run. */
function productsOf(explained: string): number {
  let sum = 0;
  let times = 1;
  for (const line of explained.split("\n")) {
    const outermost = /^ {0,3}\d+ /.test(line);
    if (outermost) times = Number(/ repeat\[(\d+)\]/.exec(line)?.[1] ?? 1);
    sum += times * Number(/ contract\S* (\d+) multiply-adds/.exec(line)?.[1] ?? 0);
  }
  return sum;
}

/** Wide enough for time steps of rank 2: a product over one element is compiled as an elementwise one. */
const size = 24;

test.each<[string, Recommender, readonly ModuleRow[]]>([
  ["SIGMA", new Sigma({ items: 50, size }), sigmaRows({ items: 50, size })],
  ["Mamba4Rec", new Mamba4Rec({ items: 50, size, layers: 2 }), mamba4RecRows({ items: 50, size, layers: 2 })],
  ["GRU4Rec", new GRU4Rec({ items: 50 }), gru4RecRows({ items: 50 })],
  ["SASRec", new SASRec({ items: 50 }), sasRecRows({ items: 50 })],
  ["BERT4Rec", new BERT4Rec({ items: 50 }), bert4RecRows({ items: 50 })],
])("the multiply-adds described are those of the compiled forward pass: %s", async (name, model, rows) => {
  await setBackend("wasm");
  const { ids, lengths } = padHistories([[1, 2, 3]], 50, 50);
  const forward = compile((x: Tensor, ends: Tensor) => model.eval().forward(x, ends));
  forward(ids, lengths).dataSync();
  // The scan and the mix are no products: 3 multiply-adds a state and step, one more where it is read; 3 a feature.
  const state = 16 * 4 * size;
  const others = { SIGMA: 2 * (150 + 1) * state + 3 * size, Mamba4Rec: 200 * state + (150 + 1) * state };
  const apart = name === "SIGMA" || name === "Mamba4Rec" ? others[name] : 0;
  expect(productsOf(explain(forward))).toBe(total(rows, "multiplyAdds") - apart);
});
