// Heat maps: one small square plot a matrix, all on one scale. Opacity carries the size, so the page's colours stay in charge.
import type { HeatmapFigure } from "../../figures.ts";
import { type Html, html } from "../html.ts";
import { draw, Plot, short, WIDTH } from "./plot.ts";

const MOST_COLUMNS = 5;
const LARGEST = 300;
const GAP = 10;

interface Cell {
  readonly row: number;
  readonly column: number;
  readonly value: number;
}

export function drawHeatmap(figure: HeatmapFigure): Html {
  const all = figure.panels.flatMap((panel) => panel.values.flat());
  const max = figure.max ?? Math.max(...all.map(Math.abs), Number.MIN_VALUE);
  const signed = all.some((value) => value < 0);
  const size = panelSize(figure.panels.length);

  const panels = figure.panels.map(({ title, values }) => {
    const cells: Cell[] = values.flatMap((list, row) => list.map((value, column) => ({ row, column, value })));
    const shape = values.length / Math.max(1, values[0]?.length ?? 1);
    const plot = draw(`${figure.title}: ${title}`, {
      width: size,
      height: Math.round(Math.max(0.25, Math.min(shape, 2)) * (size - 26) + 26),
      marginLeft: 22,
      marginRight: 4,
      marginTop: 4,
      marginBottom: 22,
      x: { label: null, tickSize: 0, padding: 0.06, tickFormat: every(values[0]?.length ?? 0) },
      y: { label: null, tickSize: 0, padding: 0.06, tickFormat: every(values.length) },
      opacity: { type: "linear", domain: [0, max], range: [0, 1], clamp: true },
      marks: [
        Plot.cell(cells, { x: "column", y: "row", fill: "var(--empty-cell)" }),
        Plot.cell(cells, {
          x: "column",
          y: "row",
          fill: (cell: Cell) => (cell.value < 0 ? "var(--series-1)" : "var(--series-0)"),
          fillOpacity: (cell: Cell) => Math.abs(cell.value),
          title: (cell: Cell) => `${figure.rows} ${cell.row}, ${figure.columns} ${cell.column}: ${cell.value}`,
        }),
      ],
      color: { type: "identity" },
    });
    return html`<div class="panel"><div class="panel-title">${title}</div>${plot}</div>`;
  });
  const low = signed ? `−${short(max)}` : "0";
  return html`<div class="panels">${panels}</div>
    <div class="legend"><span class="key">rows: ${figure.rows}; columns: ${figure.columns}</span>
    <span class="key">${low}<i class="ramp${signed ? " signed" : ""}"></i>${short(max)}</span></div>`;
}

/** The width of each of `count` panels: at most five side by side, the rows equally long. */
function panelSize(count: number): number {
  const columns = Math.ceil(count / Math.ceil(count / MOST_COLUMNS));
  return Math.min(LARGEST, Math.floor((WIDTH - GAP * (columns - 1)) / columns));
}

/** Tick labels for `count` rows: all of a few, some of many. */
function every(count: number): (index: number) => string {
  const stride = count <= 10 ? 1 : count <= 20 ? 4 : Math.ceil(count / 5);
  return (index) => (index % stride === 0 ? String(index) : "");
}
