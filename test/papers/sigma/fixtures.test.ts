// The scripts that make the recorded logs: GNU ChangeLogs, R's data files, k-cores. On small inputs made by hand.

import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  filesOf,
  ordered,
  parseChangeLog,
  parseHeader,
  sessions,
  type Touch,
} from "../../../scripts/fixtures/change-log.ts";
import { byUser, core, numbered } from "../../../scripts/fixtures/core.ts";
import { fieldsOf, readChunk, readSerialized, vector } from "../../../scripts/fixtures/r-data.ts";

const day = (date: string): number => Date.parse(`${date}T00:00:00Z`) / 86_400_000;

describe("ChangeLogs", () => {
  test("headers in all their forms", () => {
    const author = "A. Body";
    for (const [line, date] of [
      ["2017-07-29  A. Body  <a@b.c>", "2017-07-29"],
      ["1998-07-31 17:59  A. Body  <a@b.c>", "1998-07-31"],
      ["1999-04-30 09:02 -0400  A. Body  <a@b.c>", "1999-04-30"],
      ["2000-08-23  A. Body\t<a@b.c>", "2000-08-23"],
      ["Thu Sep  3 17:31:13 1992  A. Body  (a@b.c)", "1992-09-03"],
      ["Wed Jun  5 00:01:19 EDT 1996  A. Body  <a@b.c>", "1996-06-05"],
    ]) {
      expect(parseHeader(line)).toEqual({ author, day: day(date) });
    }
    expect(parseHeader("2001-02-31  A. Body  <a@b.c>")).toEqual({ author, day: undefined });
    for (const line of ["\t* a.c: Changed.", "Later changes go elsewhere.", "", "2003-12-01  Automatic"])
      expect(parseHeader(line)).toBeUndefined();
  });

  test("files before the first bracket or colon; what looks like no file is left out", () => {
    expect(filesOf("\t* io/a.c (f): New, b.c: too.")).toEqual(["io/a.c"]);
    expect(filesOf("\t* a.c, b/c.h, Makefile: Changed.")).toEqual(["a.c", "b/c.h", "Makefile"]);
    expect(filesOf("\t* x/y.S [PIC]: Likewise.")).toEqual(["x/y.S"]);
    expect(filesOf("\t* Version 1.04.")).toEqual([]);
    expect(filesOf("\t* NEWS: News.")).toEqual([]);
    expect(filesOf("\t* a/{b,c}.c: Both.")).toEqual([]);
    expect(filesOf("\t(f): Continued a.c.")).toEqual([]);
  });

  test("entries come out oldest first, files in the order of the text, impossible dates as the entry before", () => {
    const text = [
      "A preface without a header.",
      "\t* lost.c: Before any header.",
      "2000-01-03  New  <n@x>",
      "\t* c.c: One.",
      "\t* d.c: Two.",
      "",
      "2000-02-31  Odd  <o@x>",
      "\t* b.c: Three.",
      "2000-01-01  Old  <o@x>",
      "\t* a.c: Four.",
    ].join("\n");
    expect(parseChangeLog(text)).toEqual([
      { user: "Old", item: "a.c", day: day("2000-01-01") },
      { user: "Odd", item: "b.c", day: day("2000-01-03") },
      { user: "New", item: "c.c", day: day("2000-01-03") },
      { user: "New", item: "d.c", day: day("2000-01-03") },
    ]);
  });

  test("repeats of a day go, and the sort by day is stable", () => {
    const touch = (user: string, item: string, at: number): Touch => ({ user, item, day: at });
    const [a, b, c] = [touch("u", "a", 2), touch("u", "b", 1), touch("u", "c", 2)];
    expect(ordered([a, b, a, c, touch("v", "a", 2)])).toEqual([b, a, c, touch("v", "a", 2)]);
  });

  test("sessions lose nothing but repeats and short ones, and end at pauses and after 50", () => {
    const history = fc.array(
      fc.record({ item: fc.constantFrom("a", "b", "c", "d", "e", "f"), pause: fc.constantFrom(0, 1, 7, 8) }),
      {
        maxLength: 300,
      },
    );
    fc.assert(
      fc.property(history, (steps) => {
        let now = 0;
        const touches = steps.map(({ item, pause }): Touch => ({ user: "u", item, day: (now += pause) }));
        // Cut by hand, then clean.
        const pieces: Touch[][] = [];
        touches.forEach((touch, i) => {
          const piece = pieces[pieces.length - 1];
          if (i === 0 || touch.day - touches[i - 1].day > 7 || piece.length === 50) pieces.push([touch]);
          else piece.push(touch);
        });
        const expected = pieces
          .map((piece) => piece.map(({ item }) => item).filter((item, i, all) => item !== all[i - 1]))
          .filter((items) => items.length >= 5);
        expect(sessions(touches)).toEqual(expected);
      }),
    );
  });
});

test("a core is the largest part in which everybody has enough", () => {
  const actions = fc.array(fc.record({ user: fc.constantFrom(..."uvwxyz"), item: fc.constantFrom(..."abcdef") }), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(actions, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), (all, user, item) => {
      const kept = core(all, { user, item });
      const count = (key: "user" | "item", name: string): number => kept.filter((one) => one[key] === name).length;
      for (const one of kept) {
        expect(count("user", one.user)).toBeGreaterThanOrEqual(user);
        expect(count("item", one.item)).toBeGreaterThanOrEqual(item);
      }
      // In order, and a core of a core is itself.
      expect(kept).toEqual(all.filter((one) => kept.includes(one)));
      expect(core(kept, { user, item })).toEqual(kept);
      expect(byUser(kept).flat()).toHaveLength(kept.length);
    }),
  );
  expect(
    numbered([
      ["b", "a"],
      ["c", "b"],
    ]),
  ).toEqual({
    names: ["a", "b", "c"],
    sequences: [
      [2, 1],
      [3, 2],
    ],
  });
});

describe("R data", () => {
  const int = (...values: number[]): number[] =>
    values.flatMap((v) => [(v >> 24) & 255, (v >> 16) & 255, (v >> 8) & 255, v & 255]);
  const real = (value: number): number[] => [...new Uint8Array(new Float64Array([value]).buffer)].reverse();
  const characters = (text: string): number[] => [...int(9, text.length), ...new TextEncoder().encode(text)];
  const file = (...body: number[]): Uint8Array => Uint8Array.from([0x58, 0x0a, ...int(2, 0x30500, 0x20300), ...body]);
  const attributes = 0x200;
  const tagged = 0x402;
  const symbol = (name: string): number[] => [...int(1), ...characters(name)];
  const end = int(254);

  test("vectors, missing values and a named list", () => {
    const list = file(
      ...int(19 | attributes, 3),
      ...int(13, 2, 7, -(2 ** 31)),
      ...[...int(14, 1), ...real(2.5)],
      ...[...int(16, 2), ...characters("x"), ...int(9, -1)],
      ...[
        ...int(tagged),
        ...symbol("names"),
        ...int(16, 3),
        ...characters("i"),
        ...characters("r"),
        ...characters("s"),
      ],
      ...end,
    );
    const fields = fieldsOf(readSerialized(list));
    expect([...fields.keys()]).toEqual(["i", "r", "s"]);
    expect(vector(fields.get("i")).values).toEqual([7, Number.NaN]);
    expect(vector(fields.get("r")).values).toEqual([2.5]);
    expect(vector(fields.get("s")).values).toEqual(["x", null]);
    expect(() => vector(fields.get("t"))).toThrow(/no R vector/);
  });

  test("compact sequences, symbols by reference, and chunks of a database", () => {
    const sequence = [
      ...int(238),
      ...[...int(2), ...symbol("compact_intseq"), ...int(2), ...symbol("base"), ...int(2), ...int(13, 1, 13), ...end],
      ...[...int(14, 3), ...real(4), ...real(10), ...real(2)],
      ...end,
    ];
    expect(vector(readSerialized(file(...sequence))).values).toEqual([10, 12, 14, 16]);
    const twice = file(...int(19, 2), ...symbol("s"), ...int((1 << 8) | 255));
    expect(vector(readSerialized(twice)).values).toEqual(["s", "s"]);
    const raw = file(...int(13, 1, 42));
    const packed = deflateSync(raw);
    const database = Uint8Array.from([9, 9, ...int(raw.length), ...packed, 9]);
    expect(vector(readChunk(database, 2, 4 + packed.length)).values).toEqual([42]);
    database[5] += 1;
    expect(() => readChunk(database, 2, 4 + packed.length)).toThrow(/its header says/);
  });

  test("what is no serialization, or a type that is not read, is refused", () => {
    expect(() => readSerialized(Uint8Array.of(0x41, 0x0a, 0, 0))).toThrow(/XDR/);
    expect(() => readSerialized(file(...int(4)))).toThrow(/R type 4 at byte/);
  });
});
