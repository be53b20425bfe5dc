// Products of matrices and tensors.

import { tensor } from "../../../ops/create.ts";
import { einsum } from "../../../ops/einsum.ts";
import { add, cast, mul, sub } from "../../../ops/elementwise.ts";
import { matmul } from "../../../ops/linalg.ts";
import { reshape, transpose, unsqueeze } from "../../../ops/movement.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Row } from "../call.ts";

/** Integers multiply in f64, which holds every sum of products that ends in i32. */
export const product = (x: Tensor, y: Tensor): Tensor =>
  x.dtype === "i32" ? matmul(cast(x, "f64"), cast(y, "f64")) : matmul(x, y);

const matMul: Row = (call) => call.as(0, product(call.tensor(0), call.tensor(1)));

const gemm: Row = (call) => {
  const [a, b] = [call.tensor(0), call.tensor(1)];
  const c = call.maybeTensor(2);
  const [alpha, beta] = [call.float("alpha", 1), call.float("beta", 1)];
  if (call.opset < 7) call.flag("broadcast");
  const y = mul(product(call.flag("transA") ? transpose(a) : a, call.flag("transB") ? transpose(b) : b), alpha);
  return call.as(0, c === undefined ? y : add(y, mul(c, beta)));
};

/** With the output written out: the letters met once, in alphabetical order, after the axes of "...". */
function explicit(equation: string): string {
  const text = equation.replaceAll(" ", "");
  if (text.includes("->")) return text;
  const letters = [...text.replaceAll(/[^A-Za-z]/g, "")];
  const once = letters.filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter)).sort();
  return `${text}->${text.includes("...") ? "..." : ""}${once.join("")}`;
}

const einsumRow: Row = (call) => {
  const equation: string = explicit(call.needed(call.string("equation"), "attribute equation"));
  const operands = call.rest().map((value) => (value.type.kind === "float" ? value.tensor : cast(value.tensor, "f64")));
  return call.as(0, einsum(equation, ...operands));
};

/** Rounded integers less their zero points; the product is int32. */
const matMulInteger: Row = (call) => {
  const [a, b] = [call.tensor(0), call.tensor(1)];
  const [zeroA, zeroB] = [call.maybeTensor(2), call.maybeTensor(3)];
  // A zero point per row of a stands beside its columns; one per column of b beside its rows.
  const left = zeroA === undefined ? a : sub(a, zeroA.rank === 1 && zeroA.size > 1 ? unsqueeze(zeroA, 1) : zeroA);
  return call.as("int32", product(left, zeroB === undefined ? b : sub(b, zeroB)));
};

/** By elimination with the largest pivot, on the host: the engine has no factorisation. */
const det: Row = async (call) => {
  const x = call.input(0);
  const n = x.shape[x.rank - 1];
  const values = await x.numbers();
  const batch = x.shape.slice(0, -2);
  const results = Array.from({ length: values.length / (n * n) }, (_, i) =>
    determinant(Array.from({ length: n }, (_, r) => Array.from({ length: n }, (_, c) => values[(i * n + r) * n + c]))),
  );
  return call.as(0, reshape(tensor(Float64Array.from(results)), batch));
};

function determinant(rows: number[][]): number {
  let result = 1;
  for (let k = 0; k < rows.length; k++) {
    const sizes = rows.map((row, i) => (i < k ? -1 : Math.abs(row[k])));
    const best = sizes.indexOf(Math.max(...sizes));
    if (rows[best][k] === 0) return 0;
    if (best !== k) {
      [rows[k], rows[best]] = [rows[best], rows[k]];
      result = -result;
    }
    result *= rows[k][k];
    for (const row of rows.slice(k + 1)) {
      const factor = row[k] / rows[k][k];
      for (let c = k; c < row.length; c++) row[c] -= factor * rows[k][c];
    }
  }
  return result;
}

export const contraction: Readonly<Record<string, Row>> = {
  Det: det,
  Einsum: einsumRow,
  Gemm: gemm,
  MatMul: matMul,
  MatMulInteger: matMulInteger,
};
