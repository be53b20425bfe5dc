// The conformance command on a folder made for it: what it counts, prints and exits with.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeOnnxTensor } from "../../../engine/io/onnx/index.ts";
import { difference } from "../../../scripts/conformance/compare.ts";
import { type Given, given, model, node, tensorBytes } from "./build.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-conformance-"));

function write(name: string, op: string, input: Given, outputs: readonly Given[], sets = 1): void {
  const home = join(folder, "node", name);
  mkdirSync(home, { recursive: true });
  const bytes = model({
    nodes: [node(op, ["x"], ["y"])],
    inputs: [{ name: "x", shape: input.shape }],
    outputs: [{ name: "y" }],
  });
  writeFileSync(join(home, "model.onnx"), bytes);
  for (let i = 0; i < sets; i++) {
    const set = join(home, `test_data_set_${i}`);
    mkdirSync(set);
    writeFileSync(join(set, "input_0.pb"), tensorBytes(input));
    writeFileSync(join(set, "output_0.pb"), tensorBytes(outputs[i]));
  }
}

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const command = (...args: string[]): Promise<Run> =>
  new Promise((done) => {
    const script = resolve(import.meta.dirname, "../../../scripts/conformance.ts");
    execFile(process.execPath, ["--import", "tsx", script, ...args], (error, out, err) =>
      done({ code: Number(error?.code ?? 0), out, err }),
    );
  });

beforeAll(() => {
  const x = given([2], [-1, 2]);
  write("test_relu", "Relu", x, [given([2], [0, 2]), given([2], [0, 2.001])], 2);
  write("test_abs_wrong", "Abs", x, [given([2], [1, 2.1])]);
  write("test_unknown", "Frobnicate", x, [x]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("passed, failed and unsupported are counted by operator, and a failure is the exit code", async () => {
  const { code, out } = await command(folder, "--verbose");
  expect(code).toBe(1);
  const row = (name: string): string[] =>
    (out.split("\n").find((line) => line.includes(` ${name} `)) ?? "")
      .split("│")
      .map((cell) => cell.trim())
      .slice(1, -1);
  expect(row("Relu")).toEqual(["Relu", "1", "", ""]);
  expect(row("Abs")).toEqual(["Abs", "", "1", ""]);
  expect(row("Frobnicate")).toEqual(["Frobnicate", "", "", "1"]);
  expect(row("all")).toEqual(["all", "1", "1", "1"]);
  expect(out).toContain('test_abs_wrong: output "y" element 1 is 2, expected 2.0999999046325684 (1 of 2 differ)');
  expect(out).toContain("1 x Frobnicate (opset 23): this operator is not supported");
});

test("tolerances, filters, backends and JSON", async () => {
  const loose = await command(folder, "--json", "--rtol", "0.1", "--backend", "reference");
  expect(loose.code).toBe(0);
  const parsed = JSON.parse(loose.out);
  expect([parsed.backend, parsed.rtol, parsed.totals]).toEqual([
    "reference",
    0.1,
    { passed: 2, failed: 0, unsupported: 1 },
  ]);
  const tight = await command(folder, "--filter", "^test_relu$", "--rtol", "1e-5", "--verbose");
  expect(tight.code).toBe(1);
  expect(tight.out).toContain("test_relu: test_data_set_1: output");
});

test("nothing to run is an error of its own", async () => {
  for (const args of [[join(folder, "nowhere")], [folder, "--filter", "^nothing$"]]) {
    const { code, err } = await command(...args);
    expect(code).toBe(2);
    expect(err).not.toBe("");
  }
});

test("outputs are compared by type, shape and value: NaN with NaN, infinities by sign, integers exactly", async () => {
  const value = (x: Given) => decodeOnnxTensor(tensorBytes(x));
  const differ = async (got: Given, want: Given): Promise<string | undefined> =>
    difference(await value(got), await value(want), { rtol: 1e-3, atol: 1e-7 });
  const [inf, nan] = [Number.POSITIVE_INFINITY, Number.NaN];
  expect(await differ(given([3], [1, nan, inf]), given([3], [1.0005, nan, inf]))).toBeUndefined();
  expect(await differ(given([1], [1]), given([1], [1.002]))).toContain("element 0");
  expect(await differ(given([1], [-inf]), given([1], [inf]))).toContain("element 0");
  expect(await differ(given([1], [1e30]), given([1], [inf]))).toContain("element 0");
  expect(await differ(given([1], [nan]), given([1], [0]))).toContain("element 0");
  expect(await differ(given([2], [1, 2]), given([2, 1], [1, 2]))).toContain("shape [2]");
  expect(await differ(given([1], [1]), given([1], [1], "int64"))).toContain("is float, expected int64");
  expect(await differ(given([1], [1000], "int64"), given([1], [1001], "int64"))).toContain("element 0");
});
