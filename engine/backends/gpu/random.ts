// Threefry in a kernel: the same random numbers as on every other backend.

import { threefryRotations } from "../../random.ts";

/**
 * Threefry-2x32-20 on limbs of 16 bits, which f32 adds and shifts exactly; exclusive or is the one bit operation every
 * mode has for small whole numbers. The result is that of `uniformF32(threefry2x32(k0, k1, index, counter)[0])`.
 */
export const uniform: string = (() => {
  const lines: string[] = [];
  let n = 0;
  const fresh = (expression: string): string => {
    lines.push(`  const t${n} = ${expression};`);
    return `t${n++}`;
  };
  type Limbs = readonly [hi: string, lo: string];
  const add = (a: Limbs, b: Limbs, extra = 0): Limbs => {
    const low = fresh(`${a[1]} + ${b[1]}${extra === 0 ? "" : ` + ${extra}`}`);
    const carry = fresh(`Math.floor(${low} * ${2 ** -16})`);
    const high = fresh(`${a[0]} + ${b[0]} + ${carry}`);
    const wrapped = fresh(`${high} - Math.floor(${high} * ${2 ** -16}) * 65536`);
    return [wrapped, fresh(`${low} - ${carry} * 65536`)];
  };
  const xor = (a: Limbs, b: Limbs): Limbs => [fresh(`${a[0]} ^ ${b[0]}`), fresh(`${a[1]} ^ ${b[1]}`)];
  const rotate = ([hi, lo]: Limbs, by: number): Limbs => {
    if (by >= 16) return rotate([lo, hi], by - 16);
    if (by === 0) return [hi, lo];
    const cut = 2 ** (16 - by);
    const [a, b] = [hi, lo].map((limb) => fresh(`Math.floor(${limb} * ${1 / cut})`));
    return [fresh(`(${hi} - ${a} * ${cut}) * ${2 ** by} + ${b}`), fresh(`(${lo} - ${b} * ${cut}) * ${2 ** by} + ${a}`)];
  };
  const [k0, k1]: Limbs[] = [
    ["k0h", "k0l"],
    ["k1h", "k1l"],
  ];
  const high = fresh(`Math.floor(index * ${2 ** -16})`);
  const start: Limbs = [high, fresh(`index - ${high} * 65536`)];
  const parity: Limbs = [fresh(String(0x1bd1)), fresh(String(0x1bda))];
  const keys = [k0, k1, xor(xor(parity, k0), k1)];
  let x0 = add(start, keys[0]);
  let x1 = add(["ch", "cl"], keys[1]);
  for (let group = 0; group < 5; group++) {
    for (const r of threefryRotations[group & 1]) {
      x0 = add(x0, x1);
      x1 = xor(rotate(x1, r), x0);
    }
    x0 = add(x0, keys[(group + 1) % 3]);
    x1 = add(x1, keys[(group + 2) % 3], group + 1);
  }
  const value = `(${x0[0]} * 256 + Math.floor(${x0[1]} * ${2 ** -8})) * ${2 ** -24}`;
  return `function slUniform(k0h, k0l, k1h, k1l, ch, cl, index) {\n${lines.join("\n")}\n  return ${value};\n}`;
})();
