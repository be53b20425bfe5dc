// What a run of cases says: a table by operator, then why cases did not pass.

import Table from "cli-table3";
import type { Outcome, Verdict } from "./judge.ts";

const outcomes: readonly Outcome[] = ["passed", "failed", "unsupported"];

const countBy = <T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
};

export const totals = (verdicts: readonly Verdict[]): Record<Outcome, number> =>
  Object.fromEntries(
    outcomes.map((name) => [name, verdicts.filter(({ outcome }) => outcome === name).length]),
  ) as Record<Outcome, number>;

/** The table, the reasons of what is not supported (with their number), and every failure. */
export function report(verdicts: readonly Verdict[], verbose: boolean): string {
  const table = new Table({ head: ["operator", ...outcomes], style: { head: [], border: [] } });
  const groups = [...countBy(verdicts, ({ operator }) => operator)].sort(([a], [b]) => (a < b ? -1 : 1));
  const cells = (list: readonly Verdict[]): string[] =>
    outcomes.map((name) => String(totals(list)[name])).map((count) => (count === "0" ? "" : count));
  for (const [operator, list] of groups) table.push([operator, ...cells(list)]);
  table.push(["all", ...outcomes.map((name) => String(totals(verdicts)[name]))]);
  const failed = verdicts.filter(({ outcome }) => outcome === "failed");
  const refused = verdicts.filter(({ outcome }) => outcome === "unsupported");
  const lines = [table.toString()];
  if (refused.length > 0) {
    const reasons = [...countBy(refused, ({ reason }) => reason ?? "")].sort(([, a], [, b]) => b.length - a.length);
    lines.push("", "not supported:", ...reasons.map(([reason, list]) => `  ${list.length} x ${reason}`));
  }
  if (failed.length > 0) {
    const text = ({ name, reason }: Verdict): string => `  ${name}${verbose ? `: ${reason}` : ""}`;
    lines.push("", verbose ? "failed:" : "failed (why: --verbose):", ...failed.map(text));
  }
  return lines.join("\n");
}
