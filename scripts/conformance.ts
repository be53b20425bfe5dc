// `npm run conformance -- <folder>`: runs the ONNX backend test cases below a folder on the engine and prints what passed.

import { existsSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { type BackendName, setBackend } from "../engine/index.ts";
import { findCases } from "./conformance/cases.ts";
import { judge, type Verdict } from "./conformance/judge.ts";
import { report, totals } from "./conformance/report.ts";

interface Options {
  readonly rtol: number;
  readonly atol: number;
  readonly json?: boolean;
  readonly filter?: RegExp;
  readonly backend: BackendName;
  readonly verbose?: boolean;
}

function number(text: string): number {
  const value = Number(text);
  if (text === "" || !(value >= 0)) throw new InvalidArgumentError("needs a number >= 0.");
  return value;
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

async function run(folder: string, options: Options): Promise<void> {
  if (!existsSync(folder)) throw new Error(`there is no folder ${folder}`);
  await setBackend(options.backend);
  const cases = findCases(folder).filter(({ name }) => options.filter?.test(name) ?? true);
  if (cases.length === 0) throw new Error(`no case (a folder with a model.onnx) below ${folder} matches`);
  const verdicts: Verdict[] = [];
  for (const test of cases) {
    verdicts.push(await judge(test, options));
    if (process.stderr.isTTY) process.stderr.write(`\r${verdicts.length} of ${cases.length}`);
  }
  if (process.stderr.isTTY) process.stderr.write("\r");
  const { rtol, atol, backend } = options;
  if (options.json)
    console.log(JSON.stringify({ backend, rtol, atol, totals: totals(verdicts), cases: verdicts }, null, 2));
  else console.log(report(verdicts, options.verbose ?? false));
  process.exitCode = totals(verdicts).failed > 0 ? 1 : 0;
}

const program = new Command("conformance")
  .description("runs ONNX backend test cases on the engine; exit code 1 where one failed, 2 where none could be run")
  .argument("<folder>", "where to look for cases: model.onnx beside test_data_set_*/{input,output}_*.pb")
  .option("--rtol <number>", "relative tolerance of floats", number, 1e-3)
  .option("--atol <number>", "absolute tolerance of floats", number, 1e-7)
  .option("--json", "print everything as JSON instead of a table")
  .option("--filter <pattern>", "only cases whose name matches this regular expression", pattern)
  .addOption(new Option("--backend <name>", "what computes").choices(["wasm", "reference"]).default("wasm"))
  .option("--verbose", "say of each failure what differs first")
  .action(run);

try {
  await program.parseAsync();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}
