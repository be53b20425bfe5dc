// The command line: `reproduce <paper>` and `describe <paper>`. Everything it touches of the process comes in, so tests can run it.
import { join } from "node:path";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { messageOf, ReproductionError } from "./errors.ts";
import type { BackendName, Mode } from "./paper.ts";
import { createProgress, duration, type ProgressStream } from "./progress.ts";
import { loadPaper, type Registry } from "./registry.ts";
import { environment } from "./report/environment.ts";
import { prepareFolder } from "./report/folder.ts";
import { writeReport } from "./report/index.ts";
import { type Run, runPaper } from "./runner.ts";
import { claimsTable, modelTables, tally } from "./tables.ts";

/** What the command line needs of the outside. */
export interface Host {
  readonly registry: Registry;
  readonly stdout: NodeJS.WritableStream & { readonly columns?: number };
  readonly stderr: ProgressStream;
  /** Makes the engine compute on a backend from here on. */
  useBackend(name: BackendName): Promise<void>;
  /** Calls back at the first Ctrl-C; returns a function that stops listening. The second one is not caught: it kills. */
  onInterrupt(listener: () => void): () => void;
}

interface ReproduceOptions {
  readonly quick?: true;
  readonly full?: true;
  readonly seeds?: number;
  readonly backend: BackendName;
  readonly out?: string;
  readonly json?: true;
}

const INTERRUPTED = 130;
const DEFAULT_WIDTH = 120;

/** Runs a command line (without `node` and the script) and returns the exit code: 0 done, 1 crashed, 2 bad usage, 130 interrupted. */
export async function main(args: readonly string[], host: Host): Promise<number> {
  let exitCode = 0;
  const program = buildProgram(host, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has printed its own message; its only successes here are --help and the like.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof ReproductionError)) {
      host.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      return 1;
    }
    host.stderr.write(`error: ${error.message}\n`);
    return error.exitCode;
  }
}

function buildProgram(host: Host, exit: (code: number) => void): Command {
  const known = Object.keys(host.registry).join(", ") || "none yet";
  const program = new Command("sluice")
    .description(`Reproduces papers about gating. Papers: ${known}.`)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      writeErr: (text) => host.stderr.write(text),
    });
  program
    .command("reproduce")
    .description("run a paper's experiment, judge its claims, write a report")
    .argument("<paper>", `one of: ${known}`)
    .addOption(new Option("--quick", "a short run that shows that it works; claims are not judged").conflicts("full"))
    .addOption(new Option("--full", "the long run").conflicts("quick"))
    .option("--seeds <n>", "how many seeds", parseSeeds)
    .addOption(
      new Option("--backend <name>", "what computes")
        .choices(["wasm", "reference"] satisfies BackendName[])
        .default("wasm"),
    )
    .option("--out <folder>", "where the report goes (default: reports/<paper>-<mode>)")
    .option("--json", "print the result as JSON on stdout, everything else on stderr")
    .action(async (name: string, options: ReproduceOptions) => exit(await reproduce(name, options, host)));
  program
    .command("describe")
    .description("list the modules of a paper's models, with shapes, parameters and multiply-adds")
    .argument("<paper>", `one of: ${known}`)
    .action(async (name: string) => {
      const paper = await loadPaper(host.registry, name);
      host.stdout.write(`${paper.title}\n\n${modelTables(paper.describe(paper.configs.default))}\n`);
    });
  return program;
}

function parseSeeds(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > 1000)
    throw new InvalidArgumentError("Give how many seeds to run, a whole number from 1 to 1000.");
  return count;
}

async function reproduce(name: string, options: ReproduceOptions, host: Host): Promise<number> {
  const paper = await loadPaper(host.registry, name);
  const mode: Mode = options.quick ? "quick" : options.full ? "full" : "default";
  const folder = options.out ?? join("reports", `${paper.name}-${mode}`);
  await prepareFolder(folder);
  await host.useBackend(options.backend);

  const controller = new AbortController();
  const progress = createProgress(host.stderr);
  const stopListening = host.onInterrupt(() => {
    progress.log("interrupted: writing what has finished (again to kill)");
    controller.abort();
  });
  let run: Run;
  try {
    run = await runPaper(paper, {
      mode,
      backend: options.backend,
      ...(options.seeds === undefined ? {} : { seedCount: options.seeds }),
      signal: controller.signal,
      onProgress: (event) => progress.update(event),
      log: (message) => progress.log(message),
    });
  } finally {
    progress.stop();
    stopListening();
  }

  const finished = run.result.trials.filter((trial) => trial.status === "finished").length;
  const say = options.json ? host.stderr : host.stdout;
  if (!options.json && run.claims.length > 0)
    say.write(`${claimsTable(run.claims, host.stdout.columns ?? DEFAULT_WIDTH)}\n`);
  say.write(`${tally(run.claims)}\n`);
  say.write(`${run.status} in ${duration(run.seconds)}: ${finished} of ${run.planned} trials finished\n`);
  const report = await writeReport(run, folder, environment(), commandLine(name, options));
  if (options.json) host.stdout.write(report.json);
  say.write(`report: ${report.page}\n`);
  return exitCode(run, host);
}

function exitCode(run: Run, host: Host): number {
  if (run.status === "completed") return 0;
  if (run.status === "interrupted") return INTERRUPTED;
  const { error } = run;
  const readable = error instanceof ReproductionError || !(error instanceof Error);
  host.stderr.write(readable ? `error: ${messageOf(error)}\n` : `${error.stack}\n`);
  return 1;
}

function commandLine(name: string, options: ReproduceOptions): string {
  const flags = [
    options.quick ? "--quick" : options.full ? "--full" : "",
    options.seeds === undefined ? "" : `--seeds ${options.seeds}`,
    options.backend === "wasm" ? "" : `--backend ${options.backend}`,
  ];
  return ["npm run reproduce --", name, ...flags].filter((part) => part !== "").join(" ");
}
