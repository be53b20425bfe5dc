// A model as a table: what it is made of, and how many numbers it has.

import { formatShape } from "../engine/index.ts";
import type { AnyModule } from "./module.ts";

/** One line per parameter and buffer (name, dtype, shape, size), and the number of trained values. Tied ones once. */
export function summary(module: AnyModule): string {
  const parameters = module.namedParameters();
  const rows = [...parameters, ...module.namedBuffers()].map(([name, x], i) => [
    i < parameters.length ? name : `${name} (buffer)`,
    x.dtype,
    formatShape(x.shape),
    x.size.toLocaleString("en"),
  ]);
  const total = parameters.reduce((sum, [, x]) => sum + x.size, 0);
  const lines = [["name", "dtype", "shape", "size"], ...rows, ["total trained", "", "", total.toLocaleString("en")]];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...lines.map((line) => line[column].length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 3 ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join("  ");
  return [`${module.constructor.name}`, ...lines.map(line)].join("\n");
}
