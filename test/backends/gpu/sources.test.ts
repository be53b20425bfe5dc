// What is printed for gpu.js keeps to the part of JavaScript that it translates rightly. The rules, each for a trap that
// gives wrong numbers or no kernel on some mode without a word, hold for the sources of random programs.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planProgram } from "../../../engine/backends/gpu/program.ts";
import type { KernelSpec } from "../../../engine/backends/gpu/steps.ts";
import { compileGraph } from "../../../engine/compile/index.ts";
import * as S from "../../../engine/index.ts";
import { cutGraph } from "../../../engine/runtime/realize.ts";
import { inputsOf, play, programs } from "../../../testing/index.ts";
import { edges, names, operations } from "../../support/whole-programs.ts";

const webgpu = { maxArrays: 7, tiles: "integer" } as const;
const webasm = { maxArrays: 32, tiles: "float" } as const;

/** The kernels that values are computed with. */
function kernelsOf(values: readonly S.Tensor[], options: typeof webgpu | typeof webasm): KernelSpec[] {
  const graph = cutGraph(values.map(({ node }) => node));
  return planProgram(compileGraph(graph), options).steps.map(({ spec }) => spec);
}

const texts = ({ source, helpers }: KernelSpec): string[] => [source, ...helpers];
const matches = (text: string, pattern: RegExp): string[] => text.match(pattern) ?? [];
const none = (pattern: RegExp) => (spec: KernelSpec) => texts(spec).flatMap((text) => matches(text, pattern));

/** How deep parentheses and calls go, and braces. */
const depth = (text: string, open: string, close: string): number => {
  let [now, most] = [0, 0];
  for (const char of text) {
    if (char === open) most = Math.max(most, ++now);
    if (char === close) now -= 1;
  }
  return most;
};

/** Each rule gives what breaks it. */
const rules: Record<string, (spec: KernelSpec) => readonly string[]> = {
  "no continue, which skips the increment": none(/\bcontinue\b/g),
  "no loop but one that counts from 0 to a literal: others stop after 1000 rounds": (spec) =>
    texts(spec)
      .flatMap((text) => matches(text, /\b(?:for|while|do)\b.*/g))
      .filter((head) => !/^for \(let (\w+) = 0; \1 < \d+; \1\+\+\) \{$/.test(head)),
  "no counting but in a loop's head: what is counted is an integer for good": (spec) =>
    texts(spec).flatMap((text) => matches(text.replace(/for \(.*\{/g, ""), /\+\+|--/g)),
  "no name twice: inner ones overwrite outer ones": (spec) =>
    texts(spec).flatMap((text) => {
      const names = matches(text, /\b(?:let|const) \w+/g).map((declared) => declared.split(" ")[1]);
      return names.filter((name, i) => names.indexOf(name) !== i);
    }),
  "no variable without a value": none(/\b(?:let|const) \w+;/g),
  "no remainder, which is not exact": none(/%/g),
  "no bitwise operation, wrong for negative numbers, but of the random numbers' limbs of 16 bits": (spec) =>
    texts(spec)
      .filter((text) => !/^function sl(Uniform|Below)\(/.test(text))
      .flatMap((text) => matches(text, /[^&]&[^&]|[^|]\|[^|]|\^|<<|>>|~/g)),
  "no literal infinity or NaN": none(/\b(?:Infinity|NaN)\b/g),
  "no builtin that GPUs compute badly": none(/\bMath\.(?!floor\b|fround\b|ceil\b|sqrt\b|abs\b|min\b|max\b)\w+/g),
  "no minimum or maximum of other than two": (spec) =>
    texts(spec).flatMap((text) =>
      matches(text, /\bMath\.(?:min|max)\((?:[^(),]|\([^()]*\))*(?:\)|,(?:[^(),]|\([^()]*\))*,)/g),
    ),
  "no x !== x, which is false for NaN on WebGPU": none(/!==/g),
  "no index that could be a fraction: it reads nothing where JavaScript runs": ({ source }) =>
    matches(source, /\ba\d+\[[^\]]*(?:\/|\d\.\d)[^\]]*\]/g),
  "no more arrays than a kernel may have": ({ arrays }) => (arrays.length > 7 ? [String(arrays.length)] : []),
  "no expression too deep for a compiler": (spec) =>
    texts(spec)
      .flatMap((text) => text.split("\n"))
      .filter((line) => depth(line, "(", ")") > 50 || matches(line, / [-+*/<>?]=? /g).length > 100),
  "no blocks in each other beyond 30": (spec) => texts(spec).filter((text) => depth(text, "{", "}") > 30),
  "a function with a result": ({ source }) => (/^function kernel\(.*return [^\n]*;\n\}$/s.test(source) ? [] : [source]),
};

function check(specs: readonly KernelSpec[]): void {
  for (const spec of specs) {
    for (const [rule, broken] of Object.entries(rules)) {
      if (rule.startsWith("no more arrays") && spec.arrays.length <= 7) continue;
      expect(broken(spec), `${rule}: ${spec.purpose}\n${texts(spec).join("\n")}`).toEqual([]);
    }
  }
}

// Values are lazy while no backend is asked: a program is planned, never run.
beforeAll(() => S.setBackend("reference"));
afterAll(() => S.setBackend("reference"));

describe("sources", () => {
  it("of random programs keep the rules", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(programs({ dtype: "f32" }), (program) => {
        const specs = kernelsOf(
          play(program, inputsOf(program)).map(({ x }) => x),
          webgpu,
        );
        for (const { purpose } of specs) seen.add(purpose.replace(/\d+/g, "n"));
        check(specs);
      }),
      { numRuns: 300 },
    );
    expect(seen.size).toBeGreaterThanOrEqual(5);
  });

  it("of every kind of kernel, at sizes with long loops, keep them too", () => {
    const x = S.rand([40, 3000]);
    const [a, b] = [S.rand([3, 2100, 5]), S.rand([3, 2100, 5])];
    const at = S.zeros([40, 2], { dtype: "i32" });
    const ints = [0, 1].map((i) => S.tensor(Int32Array.from(edges.slice(i, i + 12)), { shape: [3, 4], dtype: "i32" }));
    const values = [
      ...[x.matmul(S.rand([3000, 30])), S.rand([30, 3000]).matmul(x.t()), x.softmax(-1), x.sum(), x.argmax(-1)],
      ...[
        S.linearRecurrence(a, b, 1),
        S.cumsum(x, 1),
        S.argsort(x),
        S.gather(x, 1, at),
        S.scatterAdd(x, 1, at, x.narrow(1, 0, 2)),
      ],
      ...[x.exp().log1p().tanh().sigmoid().erf().sin().cos().pow(1.5), S.rand([50, 70]), S.remainder(x, 3)],
      ...[
        S.conv2d(S.rand([1, 3, 20, 20]), S.rand([5, 3, 3, 3]), { padding: 1 }),
        S.concat([x, x.flip(1), x.mul(2)], 0),
      ],
      S.layerNorm(x, [3000]),
      ...names.map((name) => operations[name](ints[0], ints[1], 3)),
    ];
    for (const value of values)
      for (const options of [webgpu, webasm]) {
        const specs = kernelsOf([value], options);
        expect(specs.length).toBeGreaterThan(0);
        check(specs);
      }
  });

  it("that break a rule are found", () => {
    const good = { helpers: [], output: [4], lanes: 1, arrays: [4], purpose: "a test" } as const;
    const body = (text: string): KernelSpec => ({ ...good, source: `function kernel(a0) {\n${text}\n  return v0;\n}` });
    const bad: Record<string, string> = {
      continue: "for (let k = 0; k < 9; k++) {\n if (v0 > 1) { continue; }\n}",
      "counts from 0": "for (let k = 0; k < v1; k++) {\n}",
      "but in a loop's head": "v0++;",
      "no name twice": "let v0 = 1;\nif (v1 > 0) { let v0 = 2; }",
      "without a value": "let v0;",
      remainder: "const v0 = a0[0] % 3;",
      bitwise: "const v0 = a0[0] & 3;",
      infinity: "const v0 = Infinity;",
      builtin: "const v0 = Math.exp(a0[0]);",
      "minimum or maximum": "const v0 = Math.max(a0[0], 1, 2);",
      "x !== x": "const v0 = a0[0] !== 1 ? 1 : 0;",
      fraction: "const v0 = a0[this.thread.x / 3];",
      "too deep": `const v0 = ${"(".repeat(60)}1${")".repeat(60)};`,
      "in each other": `${"if (v1 > 0) {\n".repeat(40)}${"}\n".repeat(40)}`,
    };
    for (const [name, text] of Object.entries(bad)) {
      const [rule] = Object.keys(rules).filter((key) => key.includes(name));
      expect(rules[rule](body(text)), `${name}: ${rule}`).not.toEqual([]);
      expect(rules[rule](body("  const v0 = a0[this.thread.x] + 1;")), rule).toEqual([]);
    }
  });
});
