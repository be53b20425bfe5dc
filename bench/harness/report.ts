// Results as text: a table for the terminal or in Markdown, and the ratios it shows.

import type { Contender } from "./peer.ts";
import type { Outcome, Row } from "./rounds.ts";

export interface Report {
  readonly date: string;
  readonly machine: string;
  readonly command: string;
  readonly contenders: readonly (Pick<Contender, "name" | "kind" | "threads"> & { readonly version: string })[];
  readonly rows: readonly Row[];
}

const timeOf = (outcome: Outcome | undefined): number | undefined =>
  outcome?.is === "timed" ? outcome.best : undefined;

/** Three digits, in the unit that suits. */
export function formatTime(ms: number): string {
  const [value, unit] = ms < 0.1 ? [ms * 1000, "us"] : ms < 1000 ? [ms, "ms"] : [ms / 1000, "s"];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

function cell(outcome: Outcome | undefined): string {
  switch (outcome?.is) {
    case "timed":
      return formatTime(outcome.best);
    case "measured":
      return Object.values(outcome.values).join("; ");
    case "disagrees":
      return "other numbers";
    case "failed":
      return "failed";
    default:
      return "";
  }
}

/** The best time of a kind with at most `threads` threads. */
function bestOf({ contenders }: Report, row: Row, kind: Contender["kind"], threads: number): number | undefined {
  const times = contenders
    .filter((contender) => contender.kind === kind && contender.threads <= threads)
    .flatMap(({ name }) => timeOf(row.outcomes[name]) ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

const quotient = (a: number | undefined, b: number | undefined, digits: number): string =>
  a === undefined || b === undefined ? "" : (a / b).toFixed(digits);

/** The table's lines as cells: header first. */
export function tableOf(report: Report): string[][] {
  const shown = report.contenders.filter(({ kind }) => kind !== "ceiling");
  const ours = shown.filter(({ kind }) => kind === "ours");
  const compared = shown.some(({ kind }) => kind === "javascript");
  const native = shown.some(({ kind }) => kind === "native");
  const header = [
    "workload",
    ...shown.map(({ name }) => name),
    ...(compared ? ours.map(({ name }) => `best JS / ${name}`) : []),
    ...(native ? ours.map(({ name }) => `PyTorch / ${name}`) : []),
    ...ours.map(({ name }) => `${name}, % of ceiling`),
    "Sluice, first call",
  ];
  const lines = report.rows.map((row) => {
    const mine = ours.map(({ name, threads }) => ({ threads, time: timeOf(row.outcomes[name]) }));
    const ceiling = bestOf(report, row, "ceiling", 1);
    const first = row.outcomes[ours[0]?.name];
    return [
      row.workload.measures === undefined
        ? row.workload.id
        : `${row.workload.id} (${row.workload.measures.join("; ")})`,
      ...shown.map(({ name }) => cell(row.outcomes[name])),
      ...(compared ? mine.map((m) => quotient(bestOf(report, row, "javascript", m.threads), m.time, 2)) : []),
      ...(native ? mine.map((m) => quotient(bestOf(report, row, "native", m.threads), m.time, 2)) : []),
      ...mine.map((m) => quotient(ceiling === undefined ? undefined : (100 * ceiling) / m.threads, m.time, 0)),
      first?.is === "timed" ? formatTime(first.first) : "",
    ];
  });
  // A column that says nothing is not shown.
  const used = header.map((_, i) => i === 0 || lines.some((line) => line[i] !== ""));
  return [header, ...lines].map((line) => line.filter((_, i) => used[i]));
}

const notes = ({ rows }: Report): string[] =>
  rows.flatMap(({ workload, outcomes }) =>
    Object.entries(outcomes).flatMap(([name, outcome]) =>
      outcome.is === "failed" ? [`${name}, ${workload.id}: ${outcome.reason}`] : [],
    ),
  );

const facts = ({ date, machine, command, contenders }: Report): string[] => [
  `${date}, ${machine}; \`${command}\``,
  `minima over the rounds; ${contenders.map(({ name, version }) => `${name}: ${version}`).join(". ")}`,
];

export function markdown(report: Report): string {
  const [header, ...lines] = tableOf(report);
  const rule = header.map((_, i) => (i === 0 ? "---" : "---:"));
  const table = [header, rule, ...lines].map((line) => `| ${line.join(" | ")} |`);
  return [...table, "", ...facts(report), ...notes(report)].join("\n");
}

export function plainText(report: Report): string {
  const lines = tableOf(report);
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  const table = lines.map((line) =>
    line.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]))).join("  "),
  );
  return [...table, "", ...facts(report), ...notes(report)].join("\n");
}
