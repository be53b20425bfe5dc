// Observable Plot outside a browser: an SVG as text, in colours of the page's style sheet, so that it follows light and dark.
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { Html, html } from "../html.ts";

const { document } = parseHTML("<!doctype html><html><body></body></html>");

/** How many series colours the style sheet defines (`--series-0` and on). */
const COLOURS = 8;

/** The width that a figure has on the page. */
export const WIDTH = 790;

export const GRID = { stroke: "var(--grid)", strokeOpacity: 1 } as const;
export const AXIS = { tickSize: 0, color: "var(--muted)", labelArrow: "none" } as const;
/** A dashed line to compare with. */
export const DASHED = { stroke: "var(--muted)", strokeDasharray: "4 4" } as const;

/** The colour of series `i`, as a CSS value. */
export function colour(i: number): string {
  return `var(--series-${i % COLOURS})`;
}

/** Room on the right for the labels of horizontal marks. */
export function markMargin(marks: readonly { readonly label: string }[]): number {
  return marks.length === 0 ? 20 : 20 + 6.6 * Math.max(...marks.map((mark) => mark.label.length));
}

/** Horizontal dashed lines, each with its label to the right of the frame, which ends at `x`. */
export function horizontalMarks(
  marks: readonly { readonly label: string; readonly y: number }[],
  x: number,
): Plot.Markish[] {
  return [
    Plot.ruleY(marks, { y: "y", ...DASHED }),
    Plot.text(marks, { x: () => x, y: "y", text: "label", textAnchor: "start", dx: 8, fill: "var(--muted)" }),
  ];
}

/** Ticks of a logarithmic axis from `low` to `high`: powers of ten, with 2 and 5 between them when there are few. */
export function logTicks(low: number, high: number): number[] {
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const steps = Math.log10(high / low) < 2.5 ? [1, 2, 5] : [1];
  const powers = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  return powers
    .flatMap((power) => steps.map((step) => Number(`${step}e${power}`)))
    .filter((tick) => tick >= low && tick <= high);
}

/** A number with up to `digits` significant digits, without trailing zeros. */
export function short(value: number, digits = 3): string {
  return Number(value.toPrecision(digits)).toString();
}

/** A colour scale that gives each label its series colour. */
export function colourScale(labels: readonly string[]): Plot.ScaleOptions {
  return { type: "ordinal", domain: [...labels], range: labels.map((_, i) => colour(i)) };
}

/** A legend above a plot; none for a single label. */
export function legend(labels: readonly string[]): Html {
  if (labels.length < 2) return new Html("");
  const keys = labels.map((label, i) => html`<span class="key"><i style="background:${colour(i)}"></i>${label}</span>`);
  return html`<div class="legend">${keys}</div>`;
}

/** Draws a plot. `label` describes it to screen readers. */
export function draw(label: string, options: Plot.PlotOptions): Html {
  const svg = Plot.plot({
    document: document as unknown as Document,
    style: { fontFamily: "inherit", fontSize: "12px", overflow: "visible" },
    ariaLabel: label,
    ...options,
  });
  return new Html(svg.outerHTML);
}

export { Plot };
