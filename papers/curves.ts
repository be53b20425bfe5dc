// From recorded series to the lines of a figure.
import type { Line, Point } from "./figures.ts";
import type { PaperResult } from "./paper.ts";
import { finished } from "./statistics.ts";

/** The lines of one metric: an arm each, with a curve for each seed. Arms without a finished trial are left out. */
export function curves(result: PaperResult, task: string, arms: readonly string[], metric: string): Line[] {
  const lines: Line[] = [];
  for (const arm of arms) {
    const seeds: Point[][] = [];
    for (const { series } of finished(result, task, arm)) {
      const measured = series[metric];
      if (measured !== undefined) seeds.push(measured.steps.map((x, i) => ({ x, y: measured.values[i] })));
    }
    if (seeds.length > 0) lines.push({ label: arm, seeds });
  }
  return lines;
}
