// Threefry in a kernel: the same random numbers as on every other backend, floats and whole ones.

import { threefryRotations } from "../../random.ts";

type Limbs = readonly [hi: string, lo: string];

/** Statements of a helper, each with a name of its own. */
class Lines {
  readonly #lines: string[] = [];

  fresh = (expression: string): string => {
    const name = `t${this.#lines.length}`;
    this.#lines.push(`  const ${name} = ${expression};`);
    return name;
  };

  text(): string {
    return this.#lines.join("\n");
  }
}

/**
 * Both words of Threefry-2x32-20 on limbs of 16 bits, which f32 adds and shifts exactly; exclusive or is the one bit
 * operation every mode has for small whole numbers. They are those of threefry2x32(k0, k1, index, counter).
 */
function threefry({ fresh }: Lines): readonly [Limbs, Limbs] {
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
  return [x0, x1];
}

const parameters = "k0h, k0l, k1h, k1l, ch, cl, index";

/** uniformF32 of the first word. */
export const uniform: string = (() => {
  const lines = new Lines();
  const [[high, low]] = threefry(lines);
  const value = `(${high} * 256 + Math.floor(${low} * ${2 ** -8})) * ${2 ** -24}`;
  return `function slUniform(${parameters}) {\n${lines.text()}\n  return ${value};\n}`;
})();

/**
 * uniformBelow of both words and a bound whose limbs are `bh` (up to 2^16) and `bl`: the product with the 53 bits, limb by
 * limb, less its last 53 bits. `part` chooses what is returned: 0 the number as a float, 1 and 2 its limbs.
 */
export const below: string = (() => {
  const lines = new Lines();
  const { fresh } = lines;
  const [x0, x1] = threefry(lines);
  const cut = (x: string, size: number): Limbs => {
    const above = fresh(`Math.floor(${x} * ${1 / size})`);
    return [above, fresh(`${x} - ${above} * ${size}`)];
  };
  const bits = fresh(`${x0[0]} * 32 + Math.floor(${x0[1]} * ${2 ** -11})`);
  const factor = [x1[1], x1[0], ...cut(bits, 65536).toReversed()];
  const columns: string[][] = [[], [], [], [], [], []];
  ["bl", "bh"].forEach((bound, j) => {
    const [boundHigh, boundLow] = cut(bound, 256);
    factor.forEach((limb, i) => {
      // limb * bound = above * 65536 + middle * 256 + low, each product below 2^24.
      const [above, middle] = cut(fresh(`${limb} * ${boundHigh}`), 256);
      const [carry, low] = cut(fresh(`${middle} * 256 + ${limb} * ${boundLow}`), 65536);
      columns[i + j].push(low);
      columns[i + j + 1].push(fresh(`${above} + ${carry}`));
    });
  });
  let carried = "0";
  const product = columns.map((terms) => {
    const [over, limb] = cut(fresh([carried, ...terms].join(" + ")), 65536);
    carried = over;
    return limb;
  });
  const [above, within] = cut(product[4], 32);
  const low = fresh(`${within} * 2048 + Math.floor(${product[3]} * ${1 / 32})`);
  const high = fresh(`${product[5]} * 2048 + ${above}`);
  return `function slBelow(${parameters}, bh, bl, part) {
${lines.text()}
  let value = ${high} * 65536 + ${low};
  if (part === 1) { value = ${high}; if (${high} >= 32768) { value = ${high} - 65536; } }
  if (part === 2) { value = ${low}; }
  return value;
}`;
})();
