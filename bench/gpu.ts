// The benchmark of the gpu backend's kernels, mode by mode: WebGL runs in headless Chromium, the others in Node.
// `npx tsx bench/gpu.ts [mode ...]`; see README.md beside this file.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { Command } from "commander";
import { build } from "vite";
import { modes } from "../engine/backends/gpu/library.ts";
import { launch, missing } from "../test/browser/chromium.ts";
import { contend, type Mode, type ModeReport } from "./gpu-contests.ts";

interface Options {
  readonly rounds: string;
  readonly json?: boolean;
}

const command = new Command("gpu")
  .description("Times the gpu backend's kernels against gpu.js' textbook kernels")
  .argument("[modes...]", `of ${modes.join(", ")}`, ["webasm", "cpu", "webgpu", "webgl2"])
  .option("--rounds <n>", "rounds", "4")
  .option("--json", "print the results as JSON")
  .parse();
const { rounds, json } = command.opts<Options>();

/** The software GPU that comes with Debian's Chromium, for machines without one; Node's WebGPU finds it by the variable. */
const softwareDriver = "/usr/lib/chromium/vk_swiftshader_icd.json";
if (process.env.VK_DRIVER_FILES === undefined && existsSync(softwareDriver)) {
  process.env.VK_DRIVER_FILES = softwareDriver;
}

const reports: ModeReport[] = [];
const absent: Record<string, string> = {};
for (const mode of command.processedArgs[0] as Mode[]) {
  console.error(mode);
  try {
    reports.push(await (mode.startsWith("webgl") ? inChromium(mode) : contend(mode, Number(rounds))));
  } catch (error) {
    absent[mode] = error instanceof Error ? error.message : String(error);
  }
}

const date = new Date().toISOString();
const report = {
  date,
  machine: `${os.cpus()[0].model}, ${os.cpus().length} cores, Node ${process.versions.node}`,
  ...{ rounds: Number(rounds), reports, absent },
};
const text = JSON.stringify(report, undefined, 1);
const results = fileURLToPath(new URL("results/", import.meta.url));
const file = `${results}gpu-${date.replaceAll(":", "-").slice(0, 19)}.json`;
mkdirSync(results, { recursive: true });
writeFileSync(file, `${text}\n`);
console.error(`written: ${file}\n`);
console.log(json ? text : tableOf(reports));
for (const [mode, why] of Object.entries(absent)) console.error(`${mode} takes no part: ${why}`);

function tableOf(found: readonly ModeReport[]): string {
  const table = new Table({
    head: ["mode", "contest", "ours, ms", "textbook, ms", "ratio", "wanted", "difference"],
    style: { head: [], border: [] },
  });
  for (const { mode, outcomes } of found) {
    for (const { name, ours, textbook, wanted, difference } of outcomes) {
      const ratio = (textbook / ours).toFixed(2);
      const promised = wanted === undefined ? "" : `>= ${wanted}`;
      const numbers = [ours.toFixed(2), textbook.toFixed(2), ratio, promised, difference.toExponential(1)];
      table.push([mode, name, ...numbers]);
    }
  }
  return [table.toString(), ...found.map(({ mode, adapter }) => `${mode}: ${adapter}`)].join("\n");
}

/** The contests as one script, in a page that has nothing else. */
async function inChromium(mode: Mode): Promise<ModeReport> {
  if (missing !== undefined) throw new Error(missing);
  const entry = fileURLToPath(new URL("gpu-page.ts", import.meta.url));
  const built = await build({
    ...{ configFile: false, logLevel: "error" },
    build: {
      ...{ write: false, target: "esnext", lib: { entry, formats: ["es"] } },
      rollupOptions: { output: { codeSplitting: false } },
    },
  });
  const [{ output }] = built as { output: { code: string }[] }[];
  const browser = await launch();
  try {
    const page = await browser.newPage();
    const body = '<!doctype html><script type="module" src="/bench.js"></script>';
    await page.route("**/*", (route) =>
      route.request().url().endsWith(".js")
        ? route.fulfill({ contentType: "text/javascript", body: output[0].code })
        : route.fulfill({ contentType: "text/html", body }),
    );
    await page.goto("http://localhost/");
    return (await page.evaluate(`globalThis.contend(${JSON.stringify(mode)}, ${rounds})`)) as ModeReport;
  } finally {
    await browser.close();
  }
}
