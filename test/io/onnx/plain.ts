// Plain loops over row-major arrays of doubles: what operators must give, written from their definitions.

export interface Plain {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((n, side) => n * side, 1);

export function places(shape: readonly number[]): number[][] {
  return Array.from({ length: sizeOf(shape) }, (_, flat) => {
    const index: number[] = [];
    let rest = flat;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    return index;
  });
}

export const flatOf = (shape: readonly number[], index: readonly number[]): number =>
  index.reduce((flat, at, axis) => flat * shape[axis] + at, 0);

export const at = (x: Plain, ...index: number[]): number => x.data[flatOf(x.shape, index)];

/** 0 (or another value) where the index lies outside. */
export const atOr = (x: Plain, index: readonly number[], otherwise: number): number =>
  index.every((i, axis) => i >= 0 && i < x.shape[axis]) ? at(x, ...index) : otherwise;

export const build = (shape: readonly number[], value: (index: number[]) => number): Plain => ({
  shape,
  data: places(shape).map(value),
});

export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Each row (along the last axis) of a tensor. */
export function rows(x: Plain): number[][] {
  const width = x.shape[x.shape.length - 1];
  return range(sizeOf(x.shape) / width).map((i) => x.data.slice(i * width, (i + 1) * width));
}

export function softmax(values: readonly number[]): number[] {
  const highest = Math.max(...values);
  if (highest === Number.NEGATIVE_INFINITY) return values.map(() => 0);
  const powers = values.map((value) => Math.exp(value - highest));
  const total = sum(powers);
  return powers.map((power) => power / total);
}
