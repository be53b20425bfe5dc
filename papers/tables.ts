// The tables that the command line prints: claims after a run, modules of a model.
import Table from "cli-table3";
import type { ClaimOutcome } from "./claims.ts";
import type { ModelDescription } from "./paper.ts";

const BORDERS = { mid: "─", "left-mid": "├", "mid-mid": "┼", "right-mid": "┤" } as const;
const NO_COLOURS = { head: [], border: [] };
/** Columns that the borders and paddings of the claims table take. */
const CLAIMS_OVERHEAD = 16;

/** Statement, rule, measured and verdict of each claim, wrapped to `width` columns. */
export function claimsTable(claims: readonly ClaimOutcome[], width: number): string {
  const room = Math.max(60, width) - CLAIMS_OVERHEAD - 4 - 11;
  const share = [0.36, 0.32, 0.32].map((part) => Math.floor(room * part) + 2);
  const table = new Table({
    head: ["", "statement", "rule", "measured", "verdict"],
    colWidths: [6, ...share, 13],
    wordWrap: true,
    chars: BORDERS,
    style: NO_COLOURS,
  });
  for (const { id, statement, rule, measured, verdict } of claims) table.push([id, statement, rule, measured, verdict]);
  return table.toString();
}

/** "1 passed, 2 failed, 3 report only, 0 not run". */
export function tally(claims: readonly ClaimOutcome[]): string {
  const count = (verdict: ClaimOutcome["verdict"]): number =>
    claims.filter((claim) => claim.verdict === verdict).length;
  return `claims: ${count("pass")} passed, ${count("fail")} failed, ${count("report-only")} report only, ${count("not-run")} not run`;
}

/** The modules of each model, with totals. */
export function modelTables(description: ModelDescription): string {
  return description.models
    .map(({ name, note, modules }) => {
      const table = new Table({
        head: ["name", "type", "shape", "parameters", "multiply-adds"],
        colAligns: ["left", "left", "left", "right", "right"],
        chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
        style: NO_COLOURS,
      });
      for (const row of modules)
        table.push([row.name, row.type, row.shape, grouped(row.parameters), grouped(row.multiplyAdds)]);
      const parameters = modules.reduce((sum, row) => sum + row.parameters, 0);
      const multiplyAdds = modules.reduce((sum, row) => sum + row.multiplyAdds, 0);
      table.push(["total", "", "", grouped(parameters), grouped(multiplyAdds)]);
      return `${name}${note === undefined ? "" : ` (${note})`}\n${table.toString()}`;
    })
    .join("\n\n");
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}
