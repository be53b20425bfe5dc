// i32 arithmetic on limbs of 16 bits, the high one signed: wraps as the machine's does. Every intermediate result is a
// whole number below 2^24, so all of it is exact in f32, in any order, on any device; quotients are guessed and mended.

import type { Limbs } from "./value.ts";
import type { Writer } from "./writer.ts";

const step = 65536;
const scale = 2 ** -16;

/** Brings a high limb back into [-2^15, 2^15). */
const wrapHigh = (w: Writer, high: string): string =>
  w.const(`${high} - Math.floor((${high} + 32768) * ${scale}) * ${step}`);

/** Carries what a low limb has too much or too little into the high one. */
function carry(w: Writer, high: string, low: string): Limbs {
  const over = w.const(`Math.floor(${low} * ${scale})`);
  return [wrapHigh(w, w.const(`${high} + ${over}`)), w.const(`${low} - ${over} * ${step}`)];
}

export const addLimbs = (w: Writer, [ah, al]: Limbs, [bh, bl]: Limbs): Limbs =>
  carry(w, w.const(`${ah} + ${bh}`), w.const(`${al} + ${bl}`));

export const subLimbs = (w: Writer, [ah, al]: Limbs, [bh, bl]: Limbs): Limbs =>
  carry(w, w.const(`${ah} - ${bh}`), w.const(`${al} - ${bl}`));

export const negLimbs = (w: Writer, x: Limbs): Limbs => subLimbs(w, ["0", "0"], x);

/** x * y for |x| < 2^16 and a y of 16 bits, in bytes of y: x * y = high * 256 + low. */
function byBytes(w: Writer, x: string, y: string): readonly [high: string, low: string] {
  const top = w.const(`Math.floor(${y} * ${2 ** -8})`);
  return [w.const(`${x} * ${top}`), w.const(`${x} * (${y} - ${top} * 256)`)];
}

/** x * y modulo 2^16. */
function lowProduct(w: Writer, x: string, y: string): string {
  const [high, low] = byBytes(w, x, y);
  const kept = w.const(`(${high} - Math.floor(${high} * ${2 ** -8}) * 256) * 256 + ${low}`);
  return w.const(`${kept} - Math.floor(${kept} * ${scale}) * ${step}`);
}

/** High limbs may have 16 bits without a sign, too. */
export function mulLimbs(w: Writer, [ah, al]: Limbs, [bh, bl]: Limbs): Limbs {
  const [high, low] = byBytes(w, al, bl);
  const top = w.const(`Math.floor(${high} * ${2 ** -8})`);
  const bottom = w.const(`(${high} - ${top} * 256) * 256 + ${low}`);
  const cross = w.const(`${lowProduct(w, ah, bl)} + ${lowProduct(w, bh, al)}`);
  return carry(w, w.const(`${top} + ${cross}`), bottom);
}

/** 1 where a < b, or `orEqual`; else 0. */
export function lessLimbs(w: Writer, [ah, al]: Limbs, [bh, bl]: Limbs, orEqual = false): string {
  const less = w.let("0");
  w.if(`${ah} < ${bh}`, () => w.line(`${less} = 1;`));
  w.if(`${ah} === ${bh} && ${al} ${orEqual ? "<=" : "<"} ${bl}`, () => w.line(`${less} = 1;`));
  return less;
}

/** The one or the other, by a condition. */
export function selectLimbs(w: Writer, condition: string, yes: Limbs, no: Limbs): Limbs {
  const [high, low] = [w.let(no[0]), w.let(no[1])];
  w.if(condition, () => {
    w.line(`${high} = ${yes[0]};`);
    w.line(`${low} = ${yes[1]};`);
  });
  return [high, low];
}

/** The absolute value, up to 2^31: its high limb has no sign. */
export function magnitude(w: Writer, x: Limbs): Limbs {
  return unsigned(w, selectLimbs(w, `${x[0]} < 0`, negLimbs(w, x), x));
}

function unsigned(w: Writer, [high, low]: Limbs): Limbs {
  const plain = w.let(high);
  w.if(`${high} < 0`, () => w.line(`${plain} = ${high} + ${step};`));
  return [plain, low];
}

/** Quotient and rest of magnitudes up to 2^31; by 0 as by 1. */
function divideMagnitudes(w: Writer, [ah, al]: Limbs, [bh, b0]: Limbs): readonly [quotient: Limbs, rest: Limbs] {
  const bl = w.let(b0);
  w.if(`${bh} === 0 && ${b0} === 0`, () => w.line(`${bl} = 1;`));
  // The high limb of the quotient; a divisor of two limbs leaves none.
  const q1 = w.let("0");
  w.if(`${bh} === 0`, () => w.line(`${q1} = Math.floor((${ah} + 0.5) / ${bl});`));
  const left: Limbs = [w.const(`${ah} - ${q1} * ${bl}`), al];
  // A GPU's division is off by 2.5 units at most: this guess is the low limb or one less.
  const ratio = w.const(`(${left[0]} * ${step} + ${al}) / (${bh} * ${step} + ${bl})`);
  const q0 = w.let(`Math.max(0, Math.floor(${ratio} - 0.0625))`);
  const rest = unsigned(w, subLimbs(w, left, mulLimbs(w, ["0", w.const(q0)], [bh, bl])));
  const less = lessLimbs(w, rest, [bh, bl]);
  const after = unsigned(w, subLimbs(w, rest, [bh, bl]));
  w.if(`${less} < 0.5`, () => w.line(`${q0} = ${q0} + 1;`));
  return [[wrapHigh(w, q1), q0], selectLimbs(w, `${less} < 0.5`, after, rest)];
}

/** Truncated; by 0 it is 0. */
export function divLimbs(w: Writer, x: Limbs, y: Limbs): Limbs {
  const [quotient] = divideMagnitudes(w, magnitude(w, x), magnitude(w, y));
  const differ = w.let("0");
  w.if(`${x[0]} < 0`, () => w.line(`${differ} = 1;`));
  w.if(`${y[0]} < 0`, () => w.line(`${differ} = 1 - ${differ};`));
  const signed = selectLimbs(w, `${differ} > 0.5`, negLimbs(w, quotient), quotient);
  return selectLimbs(w, `${y[0]} === 0 && ${y[1]} === 0`, ["0", "0"], signed);
}

/** x - floor(x / y) * y, with the sign of y; by 0 it is 0. */
export function remainderLimbs(w: Writer, x: Limbs, y: Limbs): Limbs {
  const [, rest] = divideMagnitudes(w, magnitude(w, x), magnitude(w, y));
  const signed = selectLimbs(w, `${x[0]} < 0`, negLimbs(w, rest), rest);
  // A rest on the other side of 0 than y moves over.
  const side = w.let("0");
  w.if(`${x[0]} < 0`, () => w.line(`${side} = 1;`));
  w.if(`${y[0]} < 0`, () => w.line(`${side} = 1 - ${side};`));
  w.if(`${rest[0]} === 0 && ${rest[1]} === 0`, () => w.line(`${side} = 0;`));
  const moved = selectLimbs(w, `${side} > 0.5`, addLimbs(w, signed, y), signed);
  return selectLimbs(w, `${y[0]} === 0 && ${y[1]} === 0`, ["0", "0"], moved);
}

/** x to the power y, truncated, saturated: what the power of floats gives as i32. */
export function powLimbs(w: Writer, x: Limbs, y: Limbs): Limbs {
  const base = magnitude(w, x);
  const size = w.const(`${base[0]} * ${step} + ${base[1]}`);
  const exponent = w.const(`${y[0]} * ${step} + ${y[1]}`);
  const odd = w.const(`${y[1]} - Math.floor(${y[1]} * 0.5) * 2`);
  const [high, low, over] = [w.let("0"), w.let("1"), w.let("0")];
  // Powers of 2 leave i32 after 31 rounds; those of 0 and 1 stay what they are.
  w.loop(31, (k) => {
    w.if(`${k} < ${exponent}`, () => {
      const about = w.const(`(${high} * ${step} + ${low}) * ${size}`);
      w.if(`${about} > 4000000000`, () => w.line(`${over} = 1;`));
      const next = unsigned(w, mulLimbs(w, [w.const(high), w.const(low)], base));
      w.line(`${high} = ${next[0]};`);
      w.line(`${low} = ${next[1]};`);
      w.if(`${high} >= 32768`, () => w.line(`${over} = 1;`));
    });
  });
  w.if(`${exponent} < 0`, () => {
    w.line(`${over} = 0;`);
    w.line(`${high} = 0;`);
    w.line(`${low} = 0;`);
    w.if(`${size} === 1`, () => w.line(`${low} = 1;`));
    w.if(`${size} === 0`, () => w.line(`${over} = 1;`));
  });
  const power: Limbs = [w.const(high), w.const(low)];
  const negative = w.let("0");
  w.if(`${x[0]} < 0 && ${odd} > 0.5`, () => w.line(`${negative} = 1;`));
  const [signedHigh, signedLow] = selectLimbs(w, `${negative} > 0.5`, negLimbs(w, power), power);
  w.if(`${over} > 0.5`, () => {
    w.line(`${signedHigh} = 32767 - ${negative} * 65535;`);
    w.line(`${signedLow} = 65535 - ${negative} * 65535;`);
  });
  return [signedHigh, signedLow];
}

/** A float, truncated and saturated; NaN is 0. */
export function limbsOfFloat(w: Writer, x: string): Limbs {
  const whole = w.let(`Math.floor(${x})`);
  w.if(`${x} < 0`, () => w.line(`${whole} = Math.ceil(${x});`));
  const inside = w.const(`Math.max(-2147483648, Math.min(2147483647, ${whole}))`);
  const high = w.let(`Math.floor(${inside} * ${scale})`);
  const low = w.let(`${inside} - ${high} * ${step}`);
  w.if(`${x} >= 2147483648`, () => {
    w.line(`${high} = 32767;`);
    w.line(`${low} = 65535;`);
  });
  const nan = w.let("1");
  w.if(`${x} === ${x}`, () => w.line(`${nan} = 0;`));
  w.if(`${nan} > 0.5`, () => {
    w.line(`${high} = 0;`);
    w.line(`${low} = 0;`);
  });
  return [high, low];
}
