// Bar charts, plain or grouped, with error whiskers.
import type { Bar, BarsFigure } from "../../figures.ts";
import { type Html, html } from "../html.ts";
import { AXIS, colourScale, draw, GRID, horizontalMarks, legend, markMargin, Plot, short, WIDTH } from "./plot.ts";

const ONE = "";
/** The part of a label's room that its bars take at most, and the width of a bar at most, in pixels. */
const FILL = 0.76;
const WIDEST_BAR = 72;
const MARGIN_LEFT = 56;

export function drawBars(figure: BarsFigure): Html {
  const series = [...new Set(figure.bars.map((bar) => bar.series ?? ONE))];
  const labels = [...new Set(figure.bars.map((bar) => bar.label))];
  const marks = figure.marks ?? [];
  const whiskers = figure.bars.filter((bar) => bar.error !== undefined);
  const low = (bar: Bar): number => bar.value - (bar.error ?? 0);
  const high = (bar: Bar): number => bar.value + (bar.error ?? 0);
  const upright = figure.bars.filter((bar) => !(bar.value < 0));
  const hanging = figure.bars.filter((bar) => bar.value < 0);
  const crowded = figure.bars.length > 12;

  // Groups stand around whole numbers, so that grid lines and marks run through all of them.
  const room = (WIDTH - MARGIN_LEFT - markMargin(marks)) / labels.length;
  const width = Math.min(FILL, (WIDEST_BAR * series.length) / room);
  const slot = width / series.length;
  const left = (bar: Bar): number => labels.indexOf(bar.label) - width / 2 + slot * series.indexOf(bar.series ?? ONE);
  const middle = (bar: Bar): number => left(bar) + slot / 2;
  const plot = draw(figure.title, {
    width: WIDTH,
    height: 310,
    marginTop: 34,
    marginLeft: MARGIN_LEFT,
    marginRight: markMargin(marks),
    marginBottom: 42,
    x: { domain: [-0.5, labels.length - 0.5], label: figure.x },
    y: { label: figure.y, nice: true, zero: true },
    color: colourScale(series),
    marks: [
      Plot.gridY({ ...GRID, ticks: 5 }),
      Plot.axisY({ ...AXIS, ticks: 5, tickFormat: (value: number) => short(value) }),
      Plot.axisX(labels.keys(), { ...AXIS, labelAnchor: "center", tickFormat: (i: number) => labels[i] }),
      Plot.rectY(figure.bars, {
        x1: left,
        x2: (bar: Bar) => left(bar) + slot,
        y: "value",
        fill: (bar: Bar) => bar.series ?? ONE,
        inset: series.length > 1 ? 1 : 0,
        insetTop: 0,
        insetBottom: 0,
        title: describe,
      }),
      Plot.ruleX(whiskers, { x: middle, y1: low, y2: high, stroke: "currentColor", strokeWidth: 1.4 }),
      Plot.text(crowded ? [] : upright, { x: middle, y: high, text: (bar: Bar) => short(bar.value), dy: -8 }),
      Plot.text(crowded ? [] : hanging, { x: middle, y: low, text: (bar: Bar) => short(bar.value), dy: 9 }),
      ...horizontalMarks(marks, labels.length - 0.5),
      Plot.ruleY([0], { stroke: "var(--muted)" }),
    ],
  });
  return html`${legend(series)}${plot}`;
}

function describe(bar: Bar): string {
  const spread = bar.error === undefined ? "" : ` ± ${short(bar.error)}`;
  return `${bar.label}${bar.series === undefined ? "" : `, ${bar.series}`}: ${short(bar.value)}${spread}`;
}
