// One drawing for each kind of figure: a kind without one doesn't compile.
import type { Figure, TableFigure } from "../../figures.ts";
import { type Html, html } from "../html.ts";
import { drawBars } from "./bars.ts";
import { drawHeatmap } from "./heatmap.ts";
import { drawLines } from "./lines.ts";
import { drawScatter } from "./scatter.ts";
import { drawTree } from "./tree.ts";

/** Draws a figure; one without data (an interrupted run has such) says so instead. */
export function drawFigure(figure: Figure): Html {
  if (isEmpty(figure)) return html`<p class="muted">Nothing was measured for this figure in this run.</p>`;
  switch (figure.kind) {
    case "lines":
      return drawLines(figure);
    case "bars":
      return drawBars(figure);
    case "heatmap":
      return drawHeatmap(figure);
    case "tree":
      return drawTree(figure);
    case "scatter":
      return drawScatter(figure);
    case "table":
      return drawTable(figure);
  }
}

function isEmpty(figure: Figure): boolean {
  switch (figure.kind) {
    case "lines":
      return figure.lines.every((line) => line.seeds.every((seed) => seed.length === 0));
    case "bars":
      return figure.bars.length === 0;
    case "heatmap":
      return figure.panels.length === 0;
    case "tree":
      return figure.trees.length === 0;
    case "scatter":
      return figure.points.length === 0;
    case "table":
      return figure.rows.length === 0;
  }
}

function drawTable({ columns, rows }: TableFigure): Html {
  const numeric = (value: string | number): string => (typeof value === "number" ? "number" : "");
  const head = columns.map((column, i) => html`<th class="${numeric(rows[0][i])}">${column}</th>`);
  const body = rows.map(
    (row) => html`<tr>${row.map((value) => html`<td class="${numeric(value)}">${value}</td>`)}</tr>`,
  );
  return html`<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}
