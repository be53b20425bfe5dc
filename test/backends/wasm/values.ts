// Numbers at which scalar functions have something special to say.

const floats = [
  0,
  1,
  2,
  3,
  0.5,
  1.5,
  2.5,
  3.5,
  1e-3,
  7.25,
  88.7,
  89,
  104,
  1e5,
  2 ** 23,
  2 ** 24 + 2,
  2 ** 31,
  1e10,
  3e38,
];
const tiny = [2 ** -149, 2 ** -127, 2 ** -126, 1e-20];

export const specialF32 = Float32Array.from(
  [...floats, ...tiny, Number.POSITIVE_INFINITY, Number.NaN].flatMap((x) => [x, -x]),
);
export const specialF64 = Float64Array.from([
  ...specialF32,
  5e-324,
  -5e-324,
  1e-310,
  1e300,
  -1e300,
  710,
  -746,
  2 ** 53,
]);
export const specialI32 = Int32Array.from(
  [0, 1, 2, 3, 7, 10, 31, 46341, 65536, 2147483647, -2147483648].flatMap((x) => [x, -x]),
);
export const specialBool = Uint8Array.from([0, 1]);

export const special = { f32: specialF32, f64: specialF64, i32: specialI32, bool: specialBool };

/** Both arrays of all pairs. */
export function pairs<T extends Float32Array | Float64Array | Int32Array | Uint8Array>(values: T): [T, T] {
  const make = values.constructor as unknown as { from(items: number[]): T };
  const list = Array.from(values);
  return [make.from(list.flatMap((x) => list.map(() => x))), make.from(list.flatMap(() => list))];
}
