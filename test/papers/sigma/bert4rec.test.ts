// BERT4Rec's training: which items are masked, and that the loss is that of the masked items.

import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { full, manualSeed, setBackend, type Tensor } from "../../../engine/index.ts";
import { crossEntropy } from "../../../nn/index.ts";
import { BERT4Rec, padHistories } from "../../../papers/sigma/model/index.ts";
import { close, i32 } from "../../nn/tools.ts";

beforeAll(() => setBackend("reference"));

const items = 7;
const maxLength = 5;
const sizes = { items, maxLength, size: 4, heads: 2, inner: 4, dtype: "f64" } as const;
const item = fc.integer({ min: 1, max: items - 1 });
const batches = fc.array(fc.record({ history: fc.array(item, { minLength: 1, maxLength }), target: item }), {
  minLength: 1,
  maxLength: 3,
});

const modelOf = (ratios: { readonly maskRatio: number; readonly lastRatio: number }): BERT4Rec =>
  new BERT4Rec({ ...sizes, ...ratios }).initialize(1).eval();

test("where only next items are masked, the loss is the cross-entropy of the scores", () => {
  const model = modelOf({ maskRatio: 0.4, lastRatio: 1 });
  fc.assert(
    fc.property(batches, fc.nat(100), (batch, seed) => {
      manualSeed(seed);
      const { ids, lengths } = padHistories(
        batch.map(({ history }) => history),
        items,
        maxLength,
      );
      const targets = i32(batch.map(({ target }) => target));
      const expected = crossEntropy(model.forward(ids, lengths), targets).item();
      close([model.loss(ids, lengths, targets).item()], [expected], 1e-12);
    }),
    { numRuns: 10 },
  );
});

test("where all is masked, it is the mean over all items of the sequences, next items included", () => {
  const model = modelOf({ maskRatio: 1, lastRatio: 0 });
  fc.assert(
    fc.property(batches, (batch) => {
      const { ids, lengths } = padHistories(
        batch.map(({ history }) => history),
        items,
        maxLength,
      );
      const loss = model.loss(ids, lengths, i32(batch.map(({ target }) => target))).item();
      const terms: Tensor[] = [];
      for (const { history, target } of batch) {
        const length = history.length + 1;
        const masks = full([1, length], items, { dtype: "i32" });
        const encoded = model.encoder.forward(model.table.forward(masks), i32([length])).squeeze(0);
        terms.push(crossEntropy(model.scoresOf(encoded), i32([...history, target]), { reduction: "none" }));
      }
      const all = terms.flatMap((losses) => losses.toArray() as number[]);
      close([loss], [all.reduce((sum, value) => sum + value, 0) / all.length], 1e-10);
    }),
    { numRuns: 8 },
  );
});

test("a share of each sequence is masked, at least one item, and never padding", () => {
  const model = modelOf({ maskRatio: 0.4, lastRatio: 0 });
  const seen: number[] = [];
  const { table } = model;
  const forward = table.forward.bind(table);
  table.forward = (ids: Tensor): Tensor => {
    const rows = ids.toArray() as number[][];
    for (const row of rows) seen.push(row.filter((id) => id === items).length);
    // Sequences of 6, 3 and 2 items: padding stays padding.
    rows.forEach((row, i) => {
      expect(row.slice([6, 3, 2][i]).every((id) => id === 0)).toBe(true);
    });
    return forward(ids);
  };
  const { ids, lengths } = padHistories([[1, 2, 3, 4, 5], [6, 1], [2]], items, maxLength);
  for (let seed = 0; seed < 5; seed++) {
    manualSeed(seed);
    model.loss(ids, lengths, i32([6, 5, 4])).item();
  }
  // 0.4 of 6, 3 and 2 items, rounded.
  expect(seen).toEqual(Array.from({ length: 5 }, () => [2, 1, 1]).flat());
});
