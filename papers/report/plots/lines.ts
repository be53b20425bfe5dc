// Line charts: an arm's seeds thin or as a band, their mean thick.
import type { Line, LinesFigure, Point } from "../../figures.ts";
import { type Html, html } from "../html.ts";
import {
  AXIS,
  colourScale,
  draw,
  GRID,
  horizontalMarks,
  legend,
  logTicks,
  markMargin,
  Plot,
  short,
  WIDTH,
} from "./plot.ts";

interface Row extends Point {
  readonly arm: string;
  readonly curve: string;
}

interface Summary extends Point {
  readonly arm: string;
  readonly low: number;
  readonly high: number;
}

/** Mean, lowest and highest over the seeds at each x; empty where the seeds don't share their x. */
export function summarise(line: Line): Summary[] {
  const [first, ...others] = line.seeds;
  const shared =
    first !== undefined &&
    others.every((seed) => seed.length === first.length && seed.every((p, i) => p.x === first[i].x));
  if (!shared) return [];
  return first.map(({ x }, i) => {
    const ys = line.seeds.map((seed) => seed[i].y);
    const y = ys.reduce((sum, value) => sum + value, 0) / ys.length;
    return { arm: line.label, x, y, low: Math.min(...ys), high: Math.max(...ys) };
  });
}

export function drawLines(figure: LinesFigure): Html {
  const labels = figure.lines.map((line) => line.label);
  const rows: Row[] = figure.lines.flatMap((line) =>
    line.seeds.flatMap((seed, s) => seed.map((point) => ({ ...point, arm: line.label, curve: `${line.label} ${s}` }))),
  );
  const summaries = figure.lines.map(summarise);
  const means = summaries.flat();
  const alone = new Set(figure.lines.filter((_, i) => summaries[i].length === 0).map((line) => line.label));
  const banded = figure.spread === "band" ? rows.filter((row) => alone.has(row.arm)) : rows;
  const several = figure.lines.some((line) => line.seeds.length > 1);
  const marks = figure.marks ?? [];
  const lastX = Math.max(...rows.map((row) => row.x));
  const ys = [...rows, ...marks].map((row) => row.y);
  const log = figure.yScale === "log";
  const ticks = log ? logTicks(Math.min(...ys), Math.max(...ys)) : 6;
  const logX = figure.xScale === "log";
  const ticksX = logX ? logTicks(Math.min(...rows.map((row) => row.x)), lastX) : 7;

  const plot = draw(figure.title, {
    width: WIDTH,
    height: 350,
    marginTop: 30,
    marginLeft: 56,
    marginRight: markMargin(marks),
    marginBottom: 40,
    x: { label: figure.x, type: logX ? "log" : "linear", nice: false },
    y: { label: figure.y, type: log ? "log" : "linear", nice: !log },
    color: colourScale(labels),
    marks: [
      Plot.gridY({ ...GRID, ticks }),
      Plot.axisX({
        ...AXIS,
        ticks: ticksX,
        labelAnchor: "center",
        ...(logX ? { tickFormat: (value: number) => short(value) } : {}),
      }),
      Plot.axisY({ ...AXIS, ticks, tickFormat: (value: number) => short(value) }),
      ...horizontalMarks(marks, lastX),
      ...(figure.spread === "band"
        ? [Plot.areaY(means, { x: "x", y1: "low", y2: "high", z: "arm", fill: "arm", fillOpacity: 0.16 })]
        : []),
      Plot.line(several ? banded : [], {
        x: "x",
        y: "y",
        z: "curve",
        stroke: "arm",
        strokeWidth: 1,
        strokeOpacity: 0.35,
      }),
      Plot.line(means, { x: "x", y: "y", z: "arm", stroke: "arm", strokeWidth: 2.2 }),
    ],
  });
  return html`${legend(labels)}${plot}`;
}
