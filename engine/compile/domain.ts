// The index space a loop kernel runs over, and how accesses relate to it: what can share one loop nest.

import { contiguousStrides, type Shape, sizeOf } from "../shape.ts";
import { type Access, identityView, isIdentityAccess, joinViews } from "./view.ts";

/**
 * A domain: all elements of `shape`; with `axes`, rows over those axes, one row per index of the other ("kept") axes.
 * Values on it are "full" (one per element) or "kept" (one per row).
 */
export interface Domain {
  readonly shape: Shape;
  readonly axes: readonly number[];
}

export const mapDomain = (shape: Shape): Domain => ({ shape, axes: [] });

/** The number of rows. */
export const keptSize = ({ shape, axes }: Domain): number => sizeOf(shape.filter((_, i) => !axes.includes(i)));

/** Sides with their reduced flag, neighbours of one kind merged: equal for domains that are reshapes of each other. */
export function canonical(domain: Domain): string {
  const known = texts.get(domain);
  if (known !== undefined) return known;
  const text = runsOf(domain)
    .map(({ reduced, side }) => `${reduced ? "r" : "k"}${side}`)
    .join(" ");
  texts.set(domain, text);
  return text;
}

const texts = new WeakMap<Domain, string>();

/** Neighbouring axes of one kind, as one; sides of 1 are left out. */
export interface Run {
  readonly reduced: boolean;
  readonly side: number;
}

export function runsOf({ shape, axes }: Domain): readonly Run[] {
  const runs: { reduced: boolean; side: number }[] = [];
  shape.forEach((side, i) => {
    if (side === 1) return;
    const reduced = axes.includes(i);
    const last = runs[runs.length - 1];
    if (last?.reduced === reduced) last.side *= side;
    else runs.push({ reduced, side });
  });
  return runs;
}

/** The domain that holds both, if they are compatible: a map of the same size joins rows. */
export function joinDomains(a: Domain, b: Domain): Domain | undefined {
  if (a.axes.length === 0) return sizeOf(a.shape) === sizeOf(b.shape) ? b : undefined;
  if (b.axes.length === 0) return joinDomains(b, a);
  return canonical(a) === canonical(b) ? a : undefined;
}

/** Strides of the flat kept position along each axis of the domain: 0 along the rows. */
export function keptStrides({ shape, axes }: Domain): number[] {
  const strides = contiguousStrides(shape.map((side, i) => (axes.includes(i) ? 1 : side)));
  return strides.map((stride, i) => (axes.includes(i) ? 0 : stride));
}

/** True when a full value, reading through `access`, gets the kept value of its own row. */
export function readsOwnRow(domain: Domain, access: Access): boolean {
  if (access.length !== 1 || access[0].mask !== undefined || access[0].offset !== 0) return false;
  const shapes = [domain.shape, access[0].shape];
  const sides = refine(shapes);
  if (sides === undefined) return false;
  const fine = identityView(sides);
  const read = joinViews(fine, access[0]);
  const own = joinViews(fine, { shape: domain.shape, strides: keptStrides(domain), offset: 0 });
  if (read === undefined || own === undefined || read.offset !== 0) return false;
  return sides.every((side, i) => side === 1 || read.strides[i] === own.strides[i]);
}

/** True when the access reads, at each flat position, the element of the same flat position. */
export const readsItself = (access: Access): boolean => isIdentityAccess(access);

/**
 * Sides so fine that every given shape (all of one size) is a merge of neighbours; undefined if there are none
 * (as for [2, 3] and [3, 2]).
 */
export function refine(shapes: readonly Shape[]): number[] | undefined {
  const products = new Set<number>([1]);
  for (const shape of shapes) {
    let product = 1;
    for (let i = shape.length - 1; i >= 0; i--) {
      product *= shape[i];
      products.add(product);
    }
  }
  const ascending = [...products].sort((a, b) => a - b);
  const sides: number[] = [];
  for (let i = 1; i < ascending.length; i++) {
    if (ascending[i] % ascending[i - 1] !== 0) return undefined;
    sides.unshift(ascending[i] / ascending[i - 1]);
  }
  return sides;
}
