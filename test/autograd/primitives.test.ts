// Every row of the primitive table: its gradient and second derivative by central differences. A row without a sample
// fails.

import { beforeAll, describe, expect, it } from "vitest";
import type { Op } from "../../engine/graph/node.ts";
import { gradcheck, gradgradcheck, setBackend } from "../../engine/index.ts";
import { primitives } from "../../engine/primitives/index.ts";
import { checkRow, type RowSample, rows } from "../contract/rows.ts";

beforeAll(() => setBackend("reference"));

it("a row has a sample where it has a gradient, and says why where it has none", () => {
  for (const [op, row] of Object.entries(primitives)) {
    const sample = rows[op as Op];
    const explained = typeof row.vjp === "string" && row.vjp.startsWith("piecewise constant");
    expect(sample, `a sample of ${op}`).toBeDefined();
    expect(sample === null || explained, op).toBe(typeof row.vjp === "string");
    if (typeof row.vjp === "string") expect(row.vjp, op).toMatch(/\w+ \w+/);
  }
});

describe.each(Object.entries(rows).filter(([, sample]) => sample !== null))("%s", (_, sample) => {
  it("first order", () => checkRow(sample as NonNullable<RowSample>, gradcheck, { numRuns: 15 }));
  it("second order", () => checkRow(sample as NonNullable<RowSample>, gradgradcheck, { numRuns: 8 }));
});
