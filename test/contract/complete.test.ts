// Nothing exported is outside the contract: an operation has a sample, a module, loss or optimizer an entry, a primitive
// a gradient or a reason; and whatever else there is, some test calls it.

import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import * as S from "../../engine/index.ts";
import { primitives } from "../../engine/primitives/index.ts";
import * as moe from "../../moe/index.ts";
import * as nn from "../../nn/index.ts";
import { losses, optimizers } from "./losses.ts";
import { excused, modules } from "./modules.ts";
import { operations } from "./operations.ts";
import { rows } from "./rows.ts";

/** Names under contract: their tests are generated from the tables. */
const contract = new Set([
  ...operations,
  ...[modules, excused, losses, optimizers].flatMap((table) => Object.keys(table)),
]);

const folder = new URL("../", import.meta.url);
const tests = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.startsWith("contract/"))
  .map((file) => readFileSync(new URL(file, folder), "utf8"));

/** Whether a test names it: imported, or behind the name of its package. */
const isCalled = (name: string): boolean => {
  const word = new RegExp(`(?<![\\w$"'])${name}(?![\\w$"'])`);
  return tests.some((text) => word.test(text));
};

const exported = [S, nn, moe].flatMap((all) => Object.keys(all));

it("everything exported is in the contract, or called by a test", () => {
  expect(exported.filter((name) => !contract.has(name) && !isCalled(name))).toEqual([]);
});

it("every row of the primitive table is in the contract", () => {
  expect(Object.keys(rows).sort()).toEqual(Object.keys(primitives).sort());
});

it("a name that nobody calls would be found", () => {
  expect(isCalled("crossEntropyOfNobody")).toBe(false);
  expect(isCalled("clipGradNorm")).toBe(true);
});
