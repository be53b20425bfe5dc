// Scatter plots, with y = x for paired comparisons.
import type { ScatterFigure } from "../../figures.ts";
import { type Html, html } from "../html.ts";
import { AXIS, colourScale, DASHED, draw, GRID, legend, Plot, WIDTH } from "./plot.ts";

export function drawScatter(figure: ScatterFigure): Html {
  const labels = [...new Set(figure.points.map((point) => point.series))];
  const xs = figure.points.map((point) => point.x);
  const ys = figure.points.map((point) => point.y);
  const low = Math.min(...xs, ...ys);
  const high = Math.max(...xs, ...ys);
  const named = figure.points.filter((point) => point.label !== undefined);
  // Comparing a point with y = x by eye needs both axes on one scale.
  const domain = figure.diagonal ? { domain: [low, high] } : {};
  const plot = draw(figure.title, {
    width: figure.diagonal ? 460 : WIDTH,
    height: figure.diagonal ? 420 : 350,
    marginTop: 34,
    marginLeft: 56,
    marginRight: 52,
    marginBottom: 40,
    inset: 8,
    x: { label: figure.x, nice: true, ...domain },
    y: { label: figure.y, nice: true, ...domain },
    color: colourScale(labels),
    marks: [
      Plot.gridX({ ...GRID, ticks: 6 }),
      Plot.gridY({ ...GRID, ticks: 6 }),
      Plot.axisX({ ...AXIS, ticks: 6, labelAnchor: "center" }),
      Plot.axisY({ ...AXIS, ticks: 6 }),
      ...(figure.diagonal
        ? [
            Plot.link([0], { x1: low, y1: low, x2: high, y2: high, ...DASHED }),
            Plot.text([0], {
              x: high,
              y: high,
              text: ["y = x"],
              dx: -8,
              dy: -4,
              textAnchor: "end",
              fill: "var(--muted)",
            }),
          ]
        : []),
      Plot.dot(figure.points, {
        x: "x",
        y: "y",
        r: 4.5,
        fill: "series",
        fillOpacity: 0.8,
        stroke: "var(--card)",
        strokeWidth: 0.8,
      }),
      Plot.text(named, { x: "x", y: "y", text: "label", dx: 8, textAnchor: "start", fill: "var(--muted)" }),
    ],
  });
  return html`${legend(labels)}${plot}`;
}
