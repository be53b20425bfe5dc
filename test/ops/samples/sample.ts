// A sample of an operation: inputs to draw, how to call it, and what comes out by a formula in plain JavaScript.

import fc from "fast-check";
import type { Tensor } from "../../../engine/index.ts";
import { broadcastPartners, type Domain, shapes } from "../../../testing/index.ts";
import { type Nd, zip } from "../plain.ts";

export interface Case {
  readonly label: string;
  readonly inputs: readonly { readonly shape: readonly number[]; readonly domain: Domain }[];
  run(...xs: Tensor[]): Tensor | readonly Tensor[];
  /** What comes out; in f64. */
  expected(...xs: Nd[]): Nd | readonly Nd[];
  /** No derivative to check: integer or bool results, or jumps. */
  readonly flat?: boolean;
  /** Not through views that show an element twice: the operation has no derivative where elements are equal. */
  readonly distinct?: boolean;
}

/** Cases whose inputs have at most `maxSize` elements. */
export type Sample = (maxSize: number) => fc.Arbitrary<Case>;

type Unary = (x: Tensor) => Tensor;
type Binary = (x: Tensor, y: Tensor) => Tensor;

/** One input, element by element. */
export const unary =
  (run: Unary, f: (x: number) => number, domain: Domain = "real", flat = false): Sample =>
  (maxSize) =>
    shapes({ maxSize }).map((shape) => ({
      label: `[${shape}]`,
      inputs: [{ shape, domain }],
      run,
      expected: zip(f),
      flat,
    }));

/** Two inputs that broadcast, element by element. */
export const binary =
  (
    run: Binary,
    f: (x: number, y: number) => number,
    domains: readonly [Domain, Domain] = ["real", "real"],
    flat = false,
  ): Sample =>
  (maxSize) =>
    shapes({ maxSize })
      .chain(broadcastPartners)
      .map((pair) => ({
        label: pair.map((shape) => `[${shape}]`).join(" and "),
        inputs: pair.map((shape, i) => ({ shape, domain: domains[i] })),
        run,
        expected: zip(f),
        flat,
      }));

/** One input of at least one axis, and an axis of it. */
export const along =
  (
    minSide: number,
    make: (shape: readonly number[], axis: number) => Omit<Case, "inputs" | "label"> & { readonly note?: string },
    domain: Domain = "real",
  ): Sample =>
  (maxSize) =>
    shapes({ maxSize, minRank: 1, minSide }).chain((shape) =>
      fc.integer({ min: -shape.length, max: shape.length - 1 }).map((axis) => {
        const made = make(shape, axis);
        return { label: `[${shape}] axis ${axis} ${made.note ?? ""}`, inputs: [{ shape, domain }], ...made };
      }),
    );

/** The axis counted from the front. */
export const front = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** One input of any shape, and something drawn for it. */
export const moved =
  <T>(
    draw: (shape: readonly number[]) => fc.Arbitrary<T>,
    make: (shape: readonly number[], drawn: T) => Pick<Case, "run" | "expected">,
    options: { readonly minRank?: number; readonly maxRank?: number; readonly minSide?: number } = {},
  ): Sample =>
  (maxSize) =>
    shapes({ maxSize, ...options }).chain((shape) =>
      draw(shape).map((drawn) => ({
        label: `[${shape}] ${JSON.stringify(drawn)}`,
        inputs: [{ shape, domain: "real" as const }],
        ...make(shape, drawn),
      })),
    );
