// The benchmark's command line: `npm run bench`, `npm run bench:peers`; see README.md beside this file.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { installPeers, ourselves, peers, peersInstalled } from "./harness/contenders.ts";
import { type Contender, Peer } from "./harness/peer.ts";
import { markdown, plainText, type Report } from "./harness/report.ts";
import { measureWorkload, processSets, type Row, type Timing } from "./harness/rounds.ts";
import { groups } from "./workloads/index.ts";

interface Options {
  readonly peers?: boolean;
  readonly filter: string;
  readonly only?: string;
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly from?: string;
  readonly rounds: string;
  readonly turn: string;
  readonly limit: string;
}

const options = new Command("bench")
  .description("Times Sluice, alone or interleaved with other libraries")
  .option("--peers", "with the other libraries")
  .option("--filter <text>", "only workloads whose group or name contains the text", "")
  .option("--only <names>", "only these contenders (and the ceiling), separated by commas")
  .option("--json", "print the results as JSON")
  .option("--markdown", "print the table in Markdown")
  .option("--from <file>", "print the table of an earlier run")
  .option("--rounds <n>", "rounds", "10")
  .option("--turn <ms>", "milliseconds of one contender's turn in a round", "40")
  .option("--limit <s>", "seconds after which an answer is given up", "60")
  .parse()
  .opts<Options>();

/** Contenders that did not come up. */
const absent = new Set<Contender>();
const results = fileURLToPath(new URL("results/", import.meta.url));
const print = (report: Report): void =>
  console.log(
    options.json ? JSON.stringify(report, undefined, 1) : options.markdown ? markdown(report) : plainText(report),
  );

if (options.from !== undefined) print(JSON.parse(readFileSync(options.from, "utf8")) as Report);
else await run();

async function run(): Promise<void> {
  if (options.peers && !peersInstalled()) installPeers();
  const only = options.only?.split(",");
  const contenders = [...ourselves, ...(options.peers ? peers() : [])].filter(
    ({ name, kind }) => only === undefined || kind === "ceiling" || only.includes(name),
  );
  const timing: Timing = {
    rounds: Number(options.rounds),
    turnMs: Number(options.turn),
    limitMs: 1000 * Number(options.limit),
  };
  const versions = new Map<Contender, string>();
  const rows: Row[] = [];
  const date = new Date().toISOString();
  const report = (): Report => ({
    date,
    machine: `${os.cpus()[0].model}, ${os.cpus().length} cores, Node ${process.versions.node}`,
    command: `npm run bench${options.peers ? ":peers" : ""}${options.filter ? ` -- --filter "${options.filter}"` : ""}`,
    contenders: [...versions].map(([{ name, kind, threads }, version]) => ({ name, kind, threads, version })),
    rows,
  });
  mkdirSync(results, { recursive: true });
  const file = `${results}${date.replaceAll(":", "-").slice(0, 19)}.json`;
  for (const group of groups) {
    for (const set of processSets(group, options.filter)) {
      const started = await start(contenders, versions);
      try {
        for (const workload of set) {
          console.error(`${group.name}: ${workload.id}`);
          rows.push(await measureWorkload(workload, started, timing));
          // Written after each workload: a run that is stopped keeps what it has measured (`--from` prints it).
          writeFileSync(file, `${JSON.stringify(report(), undefined, 1)}\n`);
        }
      } finally {
        for (const peer of started) peer.stop();
      }
    }
  }
  console.error(`written: ${file}\n`);
  print(report());
}

/** Processes of all contenders, stopped until asked; those that do not come up are told once and left out. */
async function start(contenders: readonly Contender[], versions: Map<Contender, string>): Promise<Peer[]> {
  const started: Peer[] = [];
  for (const contender of contenders) {
    const peer = await Peer.start(contender);
    if (typeof peer !== "string") {
      versions.set(contender, peer.version);
      started.push(peer);
    } else if (!absent.has(contender)) {
      absent.add(contender);
      console.error(`${contender.name} takes no part: ${peer}`);
    }
  }
  return started;
}
