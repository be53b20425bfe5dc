// Samples of matrix products, named axes, and elements chosen by data.

import fc from "fast-check";
import * as S from "../../../engine/index.ts";
import { broadcastPartners, shapes, sides } from "../../../testing/index.ts";
import { at, build, type Nd } from "../plain.ts";
import { along, type Case, front, type Sample } from "./sample.ts";

type Shape = readonly number[];
const real = (shape: Shape) => ({ shape, domain: "real" as const });
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** NumPy's matmul by its definition. */
function product(x: Nd, y: Nd): Nd {
  const a = x.shape.length === 1 ? { shape: [1, ...x.shape], data: x.data } : x;
  const b = y.shape.length === 1 ? { shape: [...y.shape, 1], data: y.data } : y;
  const [m, k, n] = [a.shape[a.shape.length - 2], a.shape[a.shape.length - 1], b.shape[b.shape.length - 1]];
  const rank = Math.max(a.shape.length, b.shape.length) - 2;
  const side = (shape: Shape, axis: number) => shape[shape.length - 2 - rank + axis] ?? 1;
  const batch = range(rank).map((axis) => (side(a.shape, axis) === 1 ? side(b.shape, axis) : side(a.shape, axis)));
  const read = (z: Nd, outer: Shape, i: number, j: number) => {
    const lead = z.shape.slice(0, -2).map((s, axis) => (s === 1 ? 0 : outer[rank - z.shape.length + 2 + axis]));
    return at(z, [...lead, i, j]);
  };
  const full = build([...batch, m, n], (index) => {
    const [outer, i, j] = [index.slice(0, -2), index[rank], index[rank + 1]];
    return sum(range(k).map((p) => read(a, outer, i, p) * read(b, outer, p, j)));
  });
  const kept = full.shape.filter(
    (_, axis) => !(x.shape.length === 1 && axis === rank) && !(y.shape.length === 1 && axis === rank + 1),
  );
  return { shape: kept, data: full.data };
}

const matmul: Sample = (maxSize) => {
  const side = sides(0, maxSize > 50 ? 7 : 3);
  const batches = shapes({ maxRank: 2, maxSide: 3, maxSize: maxSize > 50 ? 8 : 2 }).chain(broadcastPartners);
  return fc
    .tuple(side, side, side, batches, fc.constantFrom("matrices", "row", "column", "vectors", "one matrix"))
    .map(([m, k, n, [left, right], kind]) => {
      const x = kind === "row" || kind === "vectors" ? [k] : [...left, m, k];
      const y = kind === "column" || kind === "vectors" ? [k] : kind === "one matrix" ? [k, n] : [...right, k, n];
      return { label: `[${x}] x [${y}]`, inputs: [real(x), real(y)], run: S.matmul, expected: product };
    });
};

const equations = [
  { equation: "ab,bc->ac", sides: "abc" },
  { equation: "ab,cb->ca", sides: "abc" },
  { equation: "ba,bc->ac", sides: "abc" },
  { equation: "zab,zbc->zac", sides: "abcz" },
  { equation: "abz,zbc->cza", sides: "abcz" },
  { equation: "ab,ab->a", sides: "ab" },
  { equation: "ab,ab->ab", sides: "ab" },
  { equation: "a,b->ab", sides: "ab" },
  { equation: "ab->ba", sides: "ab" },
  { equation: "abc->b", sides: "abc" },
  { equation: "aab->ba", sides: "ab" },
  { equation: "aa->", sides: "a" },
  { equation: "ab,c->a", sides: "abc" },
  { equation: "ab,bc,cd->ad", sides: "abcd" },
  { equation: "ab,ac,az->bcz", sides: "abcz" },
  { equation: "ab,bc,ca->", sides: "abc" },
] as const;

/** einsum by its definition: over all values of all letters. */
function summed(equation: string, letters: string, size: Record<string, number>, xs: readonly Nd[]): Nd {
  const [left, right] = equation.split("->");
  const inputs = left.split(",");
  const inner = [...letters].filter((letter) => !right.includes(letter));
  return build(
    [...right].map((letter) => size[letter]),
    (index) => {
      const value: Record<string, number> = {};
      [...right].forEach((letter, i) => {
        value[letter] = index[i];
      });
      const over = (rest: readonly string[]): number => {
        if (rest.length === 0) {
          return inputs.reduce(
            (result, letter, i) =>
              result *
              at(
                xs[i],
                [...letter].map((name) => value[name]),
              ),
            1,
          );
        }
        return sum(
          range(size[rest[0]]).map((i) => {
            value[rest[0]] = i;
            return over(rest.slice(1));
          }),
        );
      };
      return over(inner);
    },
  );
}

const einsum: Sample = (maxSize) =>
  fc
    .tuple(fc.constantFrom(...equations), fc.array(sides(0, maxSize > 50 ? 4 : 2), { minLength: 5, maxLength: 5 }))
    .map(([{ equation, sides: letters }, drawn]) => {
      const size = Object.fromEntries([...letters].map((letter, i) => [letter, drawn[i]]));
      const inputs = equation.split("->")[0].split(",");
      return {
        label: `${equation} ${JSON.stringify(size)}`,
        inputs: inputs.map((axes) => real([...axes].map((letter) => size[letter]))),
        run: (...xs: S.Tensor[]) => S.einsum<string>(equation, ...xs),
        expected: (...xs: Nd[]) => summed(equation, letters, size, xs),
      };
    });

const patterned =
  (make: (a: number, b: number, c: number) => Pick<Case, "run" | "expected">): Sample =>
  () =>
    fc.tuple(sides(1, 3), sides(1, 3), sides(1, 3)).map(([a, b, c]) => ({
      label: `a ${a} b ${b} c ${c}`,
      inputs: [real([a, b * c])],
      ...make(a, b, c),
    }));

const vectors =
  (run: (x: S.Tensor, y: S.Tensor) => S.Tensor, same: boolean, expected: (x: Nd, y: Nd) => Nd): Sample =>
  () =>
    fc.tuple(sides(), sides()).map(([n, m]) => ({
      label: `[${n}] and [${same ? n : m}]`,
      inputs: [real([n]), real([same ? n : m])],
      run,
      expected,
    }));

const attention: Sample = () =>
  fc.tuple(sides(1, 2), sides(1, 3), sides(0, 2), sides(1, 3), fc.boolean()).map(([b, queries, extra, d, causal]) => {
    const keys = queries + extra;
    return {
      label: `batch ${b} queries ${queries} keys ${keys} d ${d} causal ${causal}`,
      inputs: [real([b, queries, d]), real([keys, d]), real([b, keys, 2]), real([queries, 1])],
      run: (q, k, v, mask) => S.scaledDotProductAttention(q, k, v, { causal, mask }),
      expected: (q, k, v, mask) =>
        build([b, queries, 2], ([batch, i, e]) => {
          const seen = range(keys).filter((j) => !causal || j <= i + extra);
          const scores = seen.map(
            (j) => sum(range(d).map((p) => at(q, [batch, i, p]) * at(k, [j, p]))) / Math.sqrt(d) + at(mask, [i, 0]),
          );
          const powers = scores.map(Math.exp);
          return sum(seen.map((j, n) => (powers[n] / sum(powers)) * at(v, [batch, j, e])));
        }),
    };
  });

const chosen = (shape: Shape, a: number, count: number) => ({
  index: { shape: shape.with(a, count), domain: { below: shape[a] } },
});

export const products: Record<string, Sample> = {
  matmul,
  einsum,
  dot: vectors(S.dot, true, product),
  outer: vectors(S.outer, false, (x, y) => build([x.shape[0], y.shape[0]], ([i, j]) => x.data[i] * y.data[j])),
  scaledDotProductAttention: attention,
  rearrange: patterned((a, b, c) => ({
    run: (x) => S.rearrange("a (b c) -> c (a b) 1", x, { b }),
    expected: (x) => build([c, a * b, 1], ([k, ij]) => at(x, [Math.floor(ij / b), (ij % b) * c + k])),
  })),
  reduce: patterned((a, b, c) => ({
    run: (x) => S.reduce("a (b c) -> b a", x, "mean", { c }),
    expected: (x) => build([b, a], ([j, i]) => sum(range(c).map((k) => at(x, [i, j * c + k]))) / c),
  })),

  takeAlongAxis: along(1, (shape, axis) => {
    const a = front(axis, shape.length);
    return {
      inputs: [real(shape), chosen(shape, a, 3).index],
      run: (x, index) => S.takeAlongAxis(x, index, axis),
      expected: (x, index) => build(index.shape, (i) => at(x, i.with(a, at(index, i)))),
    };
  }),
  gather: along(1, (shape, axis) => {
    const a = front(axis, shape.length);
    const cropped = shape.map((side, i) => (i === a ? 2 : Math.ceil(side / 2)));
    return {
      inputs: [real(shape), { shape: cropped, domain: { below: shape[a] } }],
      run: (x, index) => S.gather(x, axis, index),
      expected: (x, index) => build(index.shape, (i) => at(x, i.with(a, at(index, i)))),
    };
  }),
  indexSelect: along(1, (shape, axis) => {
    const a = front(axis, shape.length);
    return {
      inputs: [real(shape), { shape: [2, 2], domain: { below: shape[a] } }],
      run: (x, index) => S.indexSelect(x, axis, index),
      expected: (x, index) =>
        build(shape.toSpliced(a, 1, 2, 2), (i) => at(x, i.toSpliced(a, 2, at(index, i.slice(a, a + 2))))),
    };
  }),
  scatterAdd: along(1, (shape, axis) => {
    const a = front(axis, shape.length);
    return {
      inputs: [real(shape), chosen(shape, a, 3).index, real(shape.with(a, 3))],
      run: (x, index, updates) => S.scatterAdd(x, axis, index, updates),
      expected: (x, index, updates) =>
        build(shape, (i) => {
          const added = range(3).filter((j) => at(index, i.with(a, j)) === i[a]);
          return at(x, i) + sum(added.map((j) => at(updates, i.with(a, j))));
        }),
    };
  }),
  oneHot: (maxSize) =>
    shapes({ maxSize, maxRank: 3 }).map((shape) => ({
      label: `[${shape}]`,
      inputs: [{ shape, domain: { below: 4 } }],
      run: (index) => S.oneHot(index, 4),
      expected: (index) => build([...shape, 4], (i) => (at(index, i.slice(0, -1)) === i[shape.length] ? 1 : 0)),
      flat: true,
    })),
  tril: (maxSize) =>
    fc.tuple(shapes({ maxSize, minRank: 2 }), fc.integer({ min: -3, max: 3 })).map(([shape, diagonal]) => ({
      label: `[${shape}] diagonal ${diagonal}`,
      inputs: [real(shape)],
      run: (x) => S.tril(x, diagonal),
      expected: (x) => build(shape, (i) => ((i.at(-1) ?? 0) - (i.at(-2) ?? 0) <= diagonal ? at(x, i) : 0)),
    })),
  triu: (maxSize) =>
    fc.tuple(shapes({ maxSize, minRank: 2 }), fc.integer({ min: -3, max: 3 })).map(([shape, diagonal]) => ({
      label: `[${shape}] diagonal ${diagonal}`,
      inputs: [real(shape)],
      run: (x) => S.triu(x, diagonal),
      expected: (x) => build(shape, (i) => ((i.at(-1) ?? 0) - (i.at(-2) ?? 0) >= diagonal ? at(x, i) : 0)),
    })),
};
