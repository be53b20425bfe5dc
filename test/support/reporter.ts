// What a run tested: tests, properties, cases and seed by folder, as a table and as reports/test-summary.json.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import Table from "cli-table3";
import type { Reporter, TestModule } from "vitest/node";
import { replay } from "./seed.ts";

/** What was run in a file, a folder, or all. */
interface Tally {
  readonly tests: number;
  readonly failed: number;
  readonly skipped: number;
  readonly properties: number;
  readonly cases: number;
  /** Of all its tests, one after the other. */
  readonly seconds: number;
}

const nothing: Tally = { tests: 0, failed: 0, skipped: 0, properties: 0, cases: 0, seconds: 0 };

const plus = (a: Tally, b: Tally): Tally => ({
  tests: a.tests + b.tests,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
  properties: a.properties + b.properties,
  cases: a.cases + b.cases,
  seconds: a.seconds + b.seconds,
});

function tallyOf(module: TestModule): Tally {
  let tally = nothing;
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    const { properties = 0, cases = 0 } = test.meta();
    const seconds = (test.diagnostic()?.duration ?? 0) / 1000;
    const one = { tests: 1, failed: Number(state === "failed"), skipped: Number(state === "skipped") };
    tally = plus(tally, { ...one, properties, cases, seconds });
  }
  return tally;
}

/** Files of test/backends/wasm and the like are one suite. */
const suiteOf = (file: string): string => dirname(file);

/** `file`: where the summary goes; `scale`: how many times the usual number of cases. */
export function summaryReporter(file: string, scale: number): Reporter {
  return {
    onTestRunEnd(modules) {
      const files = modules
        .map((module) => ({ file: module.relativeModuleId, ...tallyOf(module) }))
        .sort((a, b) => (a.file < b.file ? -1 : 1));
      const suites = new Map<string, Tally>();
      for (const { file: name, ...tally } of files) {
        suites.set(suiteOf(name), plus(suites.get(suiteOf(name)) ?? nothing, tally));
      }
      const total = files.reduce(plus, nothing);
      const { seed } = replay();
      const table = new Table({
        head: ["suite", "tests", "failed", "properties", "cases", "seconds"],
        style: { head: [], border: [], compact: true },
        colAligns: ["left", "right", "right", "right", "right", "right"],
      });
      const row = (name: string, { tests, failed, properties, cases, seconds }: Tally): string[] => [
        name,
        ...[tests, failed, properties, cases].map((count) => count.toLocaleString("en")),
        seconds.toFixed(1),
      ];
      for (const [name, tally] of suites) table.push(row(name, tally));
      table.push(row("all", total));
      console.log(`\n${table.toString()}\nseed ${seed}${scale === 1 ? "" : `, ${scale} times the usual cases`}`);
      mkdirSync(dirname(file), { recursive: true });
      const summary = { seed, scale, total, suites: Object.fromEntries(suites), files };
      writeFileSync(file, `${JSON.stringify(summary, null, 2)}\n`);
    },
  };
}
