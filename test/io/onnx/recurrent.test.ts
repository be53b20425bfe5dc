// RNN, GRU and LSTM of the ONNX table against loops over time: directions, lengths, initial states, peepholes, clips.

import fc from "fast-check";
import { beforeAll, test } from "vitest";
import { setBackend } from "../../../engine/index.ts";
import { type Given, given, runNode } from "./build.ts";
import { expectClose, forAll } from "./check.ts";
import { at, build, type Plain, range, sum } from "./plain.ts";

beforeAll(() => setBackend("wasm"));

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const small = (max: number) => fc.integer({ min: 1, max });
const gentle = fc.integer({ min: -256, max: 256 }).map((n) => n / 128);
const numbers = (shape: readonly number[]): fc.Arbitrary<Given> => {
  const length = shape.reduce((a, b) => a * b, 1);
  return fc.array(gentle, { minLength: length, maxLength: length }).map((data) => given(shape, data));
};

interface Setting {
  readonly x: Given;
  readonly w: Given;
  readonly r: Given;
  readonly b: Given;
  readonly lengths: Given;
  readonly h0: Given;
  readonly c0: Given;
  readonly peepholes: Given;
  readonly direction: "forward" | "reverse" | "bidirectional";
  readonly clip: number | undefined;
  readonly flag: boolean;
}

const settings = (gates: number): fc.Arbitrary<Setting> =>
  fc
    .tuple(small(4), small(3), small(3), small(3), fc.constantFrom("forward", "reverse", "bidirectional"))
    .chain(([steps, batch, inputs, hidden, direction]) => {
      const d = direction === "bidirectional" ? 2 : 1;
      return fc.record({
        x: numbers([steps, batch, inputs]),
        w: numbers([d, gates * hidden, inputs]),
        r: numbers([d, gates * hidden, hidden]),
        b: numbers([d, 2 * gates * hidden]),
        lengths: fc
          .array(small(steps), { minLength: batch, maxLength: batch })
          .map((data) => given([batch], data, "int32")),
        h0: numbers([d, batch, hidden]),
        c0: numbers([d, batch, hidden]),
        peepholes: numbers([d, 3 * hidden]),
        direction: fc.constant(direction),
        clip: fc.constantFrom(undefined, 0.75),
        flag: fc.boolean(),
      }) as fc.Arbitrary<Setting>;
    });

interface Cell {
  readonly gates: number;
  /** The next h and c from the gates' inputs (x W + Wb, Rb apart), of one sample. */
  step(parts: Parts): { h: number[]; c: number[] };
}

interface Parts {
  readonly h: readonly number[];
  readonly c: readonly number[];
  /** Input share of gate g, unit i. */
  input(g: number, i: number): number;
  /** Hidden share of gate g, unit i, of a state. */
  hidden(g: number, i: number, state: readonly number[]): number;
  bias(g: number, i: number): number;
  peephole(p: number, i: number): number;
  cut(x: number): number;
  readonly flag: boolean;
}

const cells: Readonly<Record<string, Cell>> = {
  RNN: {
    gates: 1,
    step: ({ h, input, hidden, bias, cut }) => ({
      h: h.map((_, i) => Math.tanh(cut(input(0, i) + hidden(0, i, h) + bias(0, i)))),
      c: [],
    }),
  },
  GRU: {
    gates: 3,
    step({ h, input, hidden, bias, cut, flag }) {
      const [z, reset] = [0, 1].map((g) => h.map((_, i) => sigmoid(cut(input(g, i) + hidden(g, i, h) + bias(g, i)))));
      const scaled = h.map((value, i) => value * reset[i]);
      const next = h.map((value, i) => {
        const inner = flag ? reset[i] * (hidden(2, i, h) + bias(2, i)) : hidden(2, i, scaled) + bias(2, i);
        return (1 - z[i]) * Math.tanh(cut(input(2, i) + inner)) + z[i] * value;
      });
      return { h: next, c: [] };
    },
  },
  LSTM: {
    gates: 4,
    step({ h, c, input, hidden, bias, peephole, cut, flag }) {
      const gate = (g: number, i: number, extra = 0): number => cut(input(g, i) + hidden(g, i, h) + bias(g, i) + extra);
      const units = h.map((_, i) => {
        const enter = sigmoid(gate(0, i, peephole(0, i) * c[i]));
        const keep = flag ? 1 - enter : sigmoid(gate(2, i, peephole(2, i) * c[i]));
        const next = keep * c[i] + enter * Math.tanh(gate(3, i));
        return { c: next, h: sigmoid(gate(1, i, peephole(1, i) * next)) * Math.tanh(cut(next)) };
      });
      return { h: units.map((unit) => unit.h), c: units.map((unit) => unit.c) };
    },
  },
};

function expected(cell: Cell, setting: Setting) {
  const { x, w, r, b, lengths, h0, c0, peepholes, direction, clip, flag } = setting;
  const [steps, batch, inputs] = x.shape;
  const [directions, , hidden] = r.shape;
  const y = new Map<string, number[]>();
  const last: { h: number[]; c: number[] }[][] = [];
  for (const d of range(directions)) {
    last[d] = range(batch).map((n) => {
      const row = (state: Plain): number[] => range(hidden).map((i) => at(state, d, n, i));
      let state = { h: row(h0), c: row(c0) };
      const length = lengths.data[n];
      const order = direction === "reverse" || d === 1 ? range(length).reverse() : range(length);
      for (const t of order) {
        state = cell.step({
          ...state,
          input: (g, i) =>
            sum(range(inputs).map((k) => at(x, t, n, k) * at(w, d, g * hidden + i, k))) + at(b, d, g * hidden + i),
          hidden: (g, i, from) => sum(range(hidden).map((k) => from[k] * at(r, d, g * hidden + i, k))),
          bias: (g, i) => at(b, d, (cell.gates + g) * hidden + i),
          peephole: (p, i) => at(peepholes, d, p * hidden + i),
          cut: (value) => (clip === undefined ? value : Math.min(clip, Math.max(-clip, value))),
          flag,
        });
        y.set(`${t},${d},${n}`, state.h);
      }
      return state;
    });
  }
  return {
    y: build([steps, directions, batch, hidden], ([t, d, n, i]) => y.get(`${t},${d},${n}`)?.[i] ?? 0),
    h: build([directions, batch, hidden], ([d, n, i]) => last[d][n].h[i]),
    c: build([directions, batch, hidden], ([d, n, i]) => last[d][n].c[i] ?? 0),
  };
}

const permuted = (x: Given, order: readonly number[]): Given => {
  const shape = order.map((axis) => x.shape[axis]);
  return given(shape, [...build(shape, (index) => at(x, ...order.map((_, axis) => index[order.indexOf(axis)]))).data]);
};

test.each(Object.entries(cells))("%s", (op, cell) =>
  forAll(
    settings(cell.gates),
    async (setting) => {
      const { x, w, r, b, lengths, h0, c0, peepholes, direction, clip, flag } = setting;
      const want = expected(cell, setting);
      const attributes = {
        direction,
        hidden_size: r.shape[2],
        ...(clip !== undefined && { clip: { float: clip } }),
        ...(op === "GRU" && { linear_before_reset: Number(flag) }),
        ...(op === "LSTM" && { input_forget: Number(flag) }),
      };
      const lstm = op === "LSTM";
      const outputs = lstm ? 3 : 2;
      const extra = lstm ? [c0, peepholes] : [];
      const [y, h, c] = await runNode(op, [x, w, r, b, lengths, h0, ...extra], { opset: 22, outputs, attributes });
      expectClose(y, want.y, 1e-4);
      expectClose(h, want.h, 1e-4);
      if (lstm) expectClose(c, want.c, 1e-4);
      // The batch first: [B, T, I] gives [B, T, D, H].
      const first = (state: Given): Given => permuted(state, [1, 0, 2]);
      const inputs = [first(x), w, r, b, lengths, first(h0), ...(lstm ? [first(c0), peepholes] : [])];
      const [turned] = await runNode(op, inputs, { opset: 22, outputs, attributes: { ...attributes, layout: 1 } });
      expectClose(turned, permuted(want.y as Given, [2, 0, 1, 3]), 1e-4);
    },
    12,
  ),
);
