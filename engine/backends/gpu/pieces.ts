// Pieces of the helper functions: statements that several of them share, for pasting. `$` in a piece's names stands for
// a prefix, so that no name is there twice in one function.

export const paste = (prefix: string, code: string): string => code.replaceAll("$", prefix);

export const horner = (x: string, coefficients: readonly number[]): string =>
  coefficients
    .slice(0, -1)
    .reduceRight(
      (sum, c) => `(${sum}) * ${x} ${c < 0 ? "-" : "+"} ${Math.abs(c)}`,
      String(coefficients[coefficients.length - 1]).replace(/^-(.*)$/, "(-$1)"),
    );

/** e^r = 1 + r + r^2 q(r) for |r| <= ln2/2. */
const expQ = [0.49999994, 0.16666521, 0.041668274, 0.008368686, 0.0013820136];
/** log(1 + f) = f - f^2/2 + f^3 p(f) for 1 + f in [sqrt(1/2), sqrt(2)). */
const logP = [0.3333333, -0.25000826, 0.2000125, -0.1662319, 0.14201176, -0.13161464, 0.12766208, -0.076364495];
/** ln 2 in two parts: products of the first with a small whole number are exact. */
export const [ln2High, ln2Low] = [0.693359375, 2.1219444e-4];

const powers = [1, 2, 4, 8, 16, 32, 64];

/** Sets $s to 2^n for a whole number |n| <= 127, by the bits of n. */
export const power2 = (prefix: string, n: string): string =>
  paste(
    prefix,
    `let $m = Math.abs(${n});
  let $b1 = 2;
  if (${n} < 0) { $b1 = 0.5; }
  let $s = 1;
${powers
  .slice(1)
  .map((bit) => `  const $b${bit} = $b${bit / 2} * $b${bit / 2};`)
  .join("\n")}
${powers
  .toReversed()
  .map((bit) => `  if ($m >= ${bit}) { $s = $s * $b${bit}; $m = $m - ${bit}; }`)
  .join("\n")}`,
  );

/** Sets $y to p * 2^n, in two steps, so that overflow is infinite and small results round once. */
const scaled = (prefix: string, p: string, n: string): string =>
  paste(
    prefix,
    `const $h = Math.floor(${n} * 0.5);
  const $g = ${n} - $h;
  ${power2(`${prefix}h`, `${prefix}h`)}
  ${power2(`${prefix}g`, `${prefix}g`)}
  let $y = ${p} * ${prefix}hs * ${prefix}gs;`,
  );

/** Makes y a NaN where x is one. */
export const keepNaN = (y: string, x: string): string =>
  `let ${y}odd = 1;
  if (${x} === ${x}) { ${y}odd = 0; }
  if (${y}odd > 0.5) { ${y} = ${x}; }`;

/** Sets $y to e^x. */
export const exponential = (prefix: string, x: string): string =>
  paste(
    prefix,
    `const $c = Math.max(-104.5, Math.min(89, ${x}));
  const $n = Math.floor($c * 1.4426950408889634 + 0.5);
  const $r = ($c - $n * ${ln2High}) + $n * ${ln2Low};
  const $p = 1 + ($r + $r * $r * (${horner("$r", expQ)}));
  ${scaled(prefix, "$p", "$n")}
  if (${x} > 88.73) { $y = inf; }
  if (${x} < -104) { $y = 0; }
  ${keepNaN("$y", x)}`,
  );

/** Sets $y to 2^x. */
export const exponential2 = (prefix: string, x: string): string =>
  paste(
    prefix,
    `const $c = Math.max(-151, Math.min(128.5, ${x}));
  const $n = Math.floor($c + 0.5);
  const $r = ($c - $n) * ${Math.LN2};
  const $p = 1 + ($r + $r * $r * (${horner("$r", expQ)}));
  ${scaled(prefix, "$p", "$n")}
  if (${x} >= 128) { $y = inf; }
  if (${x} < -150) { $y = 0; }
  ${keepNaN("$y", x)}`,
  );

/** Splits x > 0 into $f + 1 = m 2^-$e with m in [sqrt(1/2), sqrt(2)), and sets $rest to log m - $f. */
const split = (prefix: string, x: string): string =>
  paste(
    prefix,
    `let $m = ${x};
  let $e = 0;
  if ($m < 1.1754943508222875e-38) { $m = $m * 16777216; $e = -24; }
${powers
  .toReversed()
  .map((n) => `  if ($m >= ${2 ** n}) { $m = $m * ${2 ** -n}; $e = $e + ${n}; }`)
  .join("\n")}
${powers
  .toReversed()
  .map((n) => `  if ($m < ${2 ** (1 - n)}) { $m = $m * ${2 ** n}; $e = $e - ${n}; }`)
  .join("\n")}
  if ($m > 1.4142135623730951) { $m = $m * 0.5; $e = $e + 1; }
  const $f = $m - 1;
  const $s = $f * $f;
  const $rest = $s * $f * (${horner("$f", logP)}) - $s * 0.5;`,
  );

/** log of 0, of negatives, of infinity and NaN. */
const poles = (y: string, x: string): string =>
  `if (${x} === 0) { ${y} = -inf; }
  if (${x} < 0) { ${y} = nan; }
  if (${x} === inf) { ${y} = inf; }
  ${keepNaN(y, x)}`;

/** Sets $y to log x. */
export const logarithm = (prefix: string, x: string): string =>
  paste(
    prefix,
    `${split(prefix, x)}
  let $y = $e * ${ln2High} + ($f + ($rest - $e * ${ln2Low}));
  ${poles("$y", x)}`,
  );

/** Sets $y to log2 x. */
export const logarithm2 = (prefix: string, x: string): string =>
  paste(
    prefix,
    `${split(prefix, x)}
  let $y = $e + ($f + ($f * ${Math.LOG2E - 1} + ($rest * ${Math.LOG2E - 1} + $rest)));
  ${poles("$y", x)}`,
  );
