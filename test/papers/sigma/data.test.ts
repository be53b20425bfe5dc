// The data of the SIGMA reproduction: generated sessions bit for bit, the early-key probe, and the two recorded logs.

import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError } from "../../../engine/index.ts";
import { makeEarlyKey } from "../../../papers/sigma/early-key.ts";
import { loadLog, logPath } from "../../../papers/sigma/logs.ts";
import { longShortItems, makeLongShort, oracleScores } from "../../../papers/sigma/long-short.ts";
import { metricsOf, rankOfTarget } from "../../../papers/sigma/metrics.ts";
import { Mulberry } from "../../../papers/sigma/mulberry.ts";

const hash = (sequences: readonly (readonly number[])[]): number =>
  sequences.flat().reduce((h, item) => (Math.imul(31, h) + item) | 0, 0);

test("mulberry32 draws the published numbers; permutations are permutations", () => {
  const random = new Mulberry(1);
  expect([random.next(), random.next(), random.next()]).toEqual([
    0.6270739405881613, 0.002735721180215478, 0.5274470399599522,
  ]);
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 50 }), (seed, count) => {
      const drawn = new Mulberry(seed).permutation(count);
      expect([...drawn].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
    }),
  );
});

describe("LongShort-v1", () => {
  test("has the published check values", () => {
    const one = makeLongShort(1, 1500);
    expect(one.sequences.flat()).toHaveLength(22_217);
    expect(hash(one.sequences)).toBe(1_741_463_923);
    expect(one.successors[1]).toEqual([126, 106, 197, 194]);
    expect(one.clusters[0]).toBe(4);
    expect(one.sequences[0]).toEqual([45, 2, 25, 65, 7, 42, 45]);
    const lengths = one.sequences.map(({ length }) => length);
    const between = (from: number, to: number): number => lengths.filter((n) => n >= from && n <= to).length;
    expect([between(5, 8), between(9, 20), between(21, 40)]).toEqual([562, 627, 311]);
    const two = makeLongShort(2, 1500);
    expect([two.sequences.flat().length, hash(two.sequences)]).toEqual([21_712, -737_249_412]);
  });

  test("the oracle scores as published, and its scores are chances", () => {
    const made = makeLongShort(1, 1500);
    const ranks = made.sequences.map((items, user) => {
      const scores = oracleScores(made, made.clusters[user], items.slice(0, -1));
      if (user < 50) expect(scores.reduce((sum, share) => sum + share)).toBeCloseTo(1, 12);
      return rankOfTarget(scores, items[items.length - 1]);
    });
    const { "HR@10": hits, "NDCG@10": ndcg } = metricsOf(ranks);
    expect(hits).toBeCloseTo(0.71, 4);
    expect(ndcg).toBeCloseTo(0.4287, 4);
  });

  test("next items have the chances that the oracle says", () => {
    // Expected against observed hits of the oracle's ten likeliest items: a wrong branch of the generator moves it by several points.
    const made = makeLongShort(7, 1500);
    let [expected, observed, count] = [0, 0, 0];
    for (const [user, items] of made.sequences.entries()) {
      for (let i = 1; i < items.length; i += 3) {
        const scores = oracleScores(made, made.clusters[user], items.slice(0, i));
        const best = [...scores.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, 10);
        expected += best.reduce((sum, item) => sum + scores[item], 0);
        observed += best.includes(items[i]) ? 1 : 0;
        count += 1;
      }
    }
    expect(Math.abs(expected - observed) / count).toBeLessThan(4 * Math.sqrt(0.25 / count));
    expect(made.items).toBe(longShortItems);
  });
});

describe("EarlyKey-v1", () => {
  test("the first item alone decides the target, by a permutation of the keys; the rest are distractors", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { train, test: held } = makeEarlyKey(seed, 200, 50);
        const images = new Map<number, number>();
        for (const { history, target } of [...train, ...held]) {
          const [key, ...rest] = history;
          expect(key).toBeGreaterThanOrEqual(1);
          expect(key).toBeLessThanOrEqual(20);
          expect(rest.length).toBeGreaterThanOrEqual(14);
          expect(rest.length).toBeLessThanOrEqual(29);
          expect(rest.every((item) => item > 20 && item <= 50)).toBe(true);
          expect(images.get(key) ?? target).toBe(target);
          images.set(key, target);
        }
        expect(new Set(images.values()).size).toBe(images.size);
      }),
      { numRuns: 10 },
    );
  });

  test("is the same for a seed, bit for bit", () => {
    const sequences = ({ train, test: held }: ReturnType<typeof makeEarlyKey>) =>
      [...train, ...held].map(({ history, target }) => [...history, target]);
    const first = sequences(makeEarlyKey(1, 3000, 600));
    expect(sequences(makeEarlyKey(1, 3000, 600))).toEqual(first);
    expect(hash(first)).toBe(-825_883_997);
    expect(hash(sequences(makeEarlyKey(2, 3000, 600)))).not.toBe(-825_883_997);
  });
});

describe("recorded logs", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sluice-logs-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("MovieLens has the published numbers after its 10-core", async () => {
    const { items, names, sequences } = await loadLog("movielens");
    expect([sequences.length, items - 1, sequences.flat().length]).toEqual([670, 2245, 81_906]);
    expect(Math.min(...sequences.map(({ length }) => length))).toBe(14);
    expect(sequences.flat().length / 670).toBeCloseTo(122, 0);
    const counts = new Map<number, number>();
    for (const item of sequences.flat()) counts.set(item, (counts.get(item) ?? 0) + 1);
    expect(Math.min(...counts.values())).toBeGreaterThanOrEqual(10);
    expect(names[0]).toBe("Toy Story (1995)");
    // Nobody rates a movie twice.
    expect(sequences.every((own) => new Set(own).size === own.length)).toBe(true);
  });

  test("change logs are sessions of 5 to 50 files without immediate repeats", async () => {
    const { items, names, sequences } = await loadLog("changelogs");
    expect([sequences.length, items - 1, sequences.flat().length]).toEqual([2580, 3157, 72_234]);
    for (const own of sequences) {
      expect(own.length).toBeGreaterThanOrEqual(5);
      expect(own.length).toBeLessThanOrEqual(50);
      expect(own.every((item, i) => item !== own[i - 1])).toBe(true);
    }
    expect([...new Set(sequences.flat())].sort((a, b) => a - b)).toEqual(Array.from(names, (_, i) => i + 1));
    expect(names).toContain("string/Makefile");
    expect(names.filter((name) => /@.*\.|[<>]/.test(name))).toEqual([]);
  });

  test("a missing, a truncated and a changed file are told apart, with what to do", async () => {
    const how = /get it back with: npx tsx scripts\/fixtures\/movielens\.ts/;
    const path = logPath("movielens", folder);
    const failure = () => loadLog("movielens", folder).catch((error: unknown) => error);
    const missing = await failure();
    expect(missing).toBeInstanceOf(DataError);
    expect(String(missing)).toMatch(/cannot be read/);
    expect(String(missing)).toMatch(how);
    await copyFile(logPath("movielens"), path);
    await expect(loadLog("movielens", folder)).resolves.toBeDefined();
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, 1000));
    expect(String(await failure())).toMatch(/is corrupt: its 1000 bytes do not unpack/);
    await writeFile(path, gzipSync('{"names":[],"sequences":[]}'));
    const changed = await failure();
    expect(changed).toBeInstanceOf(DataError);
    expect(String(changed)).toMatch(/its SHA-256 is .* expected .* \(27 bytes unpacked\)/);
    expect(String(changed)).toMatch(how);
  });
});
