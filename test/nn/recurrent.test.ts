// Recurrent networks and Mamba: the written equations, pieces of a sequence, and gradients.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { compile, concat, setBackend, type Tensor } from "../../engine/index.ts";
import * as nn from "../../nn/index.ts";
import { checkModule, close, normals, values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

const dtype = "f64";
const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
type Step = (x: number[], h: number[], c: number[]) => [h: number[], c: number[]];

/** W x + b of one gate's rows. */
function gateOf(weight: number[][], bias: number[], x: number[], gate: number, hidden: number): number[] {
  return Array.from({ length: hidden }, (_, i) => {
    const row = gate * hidden + i;
    return weight[row].reduce((sum, w, k) => sum + w * x[k], bias[row]);
  });
}

/** One layer, one direction, as loops. */
function stepOf(kind: "RNN" | "GRU" | "LSTM", cell: nn.Module<never, unknown>, hidden: number): Step {
  const named = new Map(cell.namedParameters());
  const [wi, wh] = ["weightIh", "weightHh"].map((name) => (named.get(name) as Tensor).toArray() as number[][]);
  const [bi, bh] = ["biasIh", "biasHh"].map((name) => values(named.get(name) as Tensor));
  return (x, h, c) => {
    const fromX = (gate: number): number[] => gateOf(wi, bi, x, gate, hidden);
    const fromH = (gate: number): number[] => gateOf(wh, bh, h, gate, hidden);
    const sum = (gate: number): number[] => fromX(gate).map((v, i) => v + fromH(gate)[i]);
    if (kind === "RNN") return [sum(0).map(Math.tanh), c];
    if (kind === "GRU") {
      const [r, z] = [sum(0).map(sigmoid), sum(1).map(sigmoid)];
      const n = fromX(2).map((v, i) => Math.tanh(v + r[i] * fromH(2)[i]));
      return [n.map((v, i) => (1 - z[i]) * v + z[i] * h[i]), c];
    }
    const [i, f, g, o] = [sum(0).map(sigmoid), sum(1).map(sigmoid), sum(2).map(Math.tanh), sum(3).map(sigmoid)];
    const next = c.map((v, k) => f[k] * v + i[k] * g[k]);
    return [o.map((v, k) => v * Math.tanh(next[k])), next];
  };
}

const kinds = { RNN: nn.RNN, GRU: nn.GRU, LSTM: nn.LSTM };

for (const kind of ["RNN", "GRU", "LSTM"] as const) {
  describe(kind, () => {
    const configs = fc.record({
      input: fc.integer({ min: 1, max: 3 }),
      hidden: fc.integer({ min: 1, max: 3 }),
      steps: fc.integer({ min: 1, max: 4 }),
      layers: fc.integer({ min: 1, max: 2 }),
      bidirectional: fc.boolean(),
    });

    test("follows its equations, in layers and directions", () => {
      fc.assert(
        fc.property(configs, ({ input, hidden, steps, layers, bidirectional }) => {
          const net = new kinds[kind](input, hidden, { layers, bidirectional, dtype }).initialize(1);
          const x = normals([1, steps, input], 2);
          let sequence = (x.toArray() as number[][][])[0];
          const lasts: number[] = [];
          for (let layer = 0; layer < layers; layer++) {
            const directions = (bidirectional ? [0, 1] : [0]).map((d) => {
              const step = stepOf(kind, net.cells[layer * net.directions + d], hidden);
              let [h, c] = [new Array<number>(hidden).fill(0), new Array<number>(hidden).fill(0)];
              const outputs = (d === 1 ? sequence.toReversed() : sequence).map((row) => {
                [h, c] = step(row, h, c);
                return h;
              });
              lasts.push(...h);
              return d === 1 ? outputs.toReversed() : outputs;
            });
            sequence = sequence.map((_, t) => directions.flatMap((outputs) => outputs[t]));
          }
          const { output, state } = net.forward(x);
          close(output, sequence.flat(), 1e-12);
          close(state[0], lasts, 1e-12);
        }),
        { numRuns: 8 },
      );
    });

    test("in pieces, with the state handed on, it is the whole; a batch is its samples", () => {
      const net = new kinds[kind](2, 3, { layers: 2, dtype }).initialize(1);
      const x = normals([2, 5, 2], 1);
      const whole = net.forward(x);
      const first = net.forward(x.narrow(1, 0, 2));
      const second = net.forward(x.narrow(1, 2, 3), first.state);
      close(concat([first.output, second.output], 1), values(whole.output), 1e-12);
      for (const [i, part] of second.state.entries()) close(part, values(whole.state[i]), 1e-12);
      close(net.forward(x.narrow(0, 1, 1)).output, values(whole.output.narrow(0, 1, 1)), 1e-12);
      close(compile((input: Tensor) => net.forward(input).output)(x), values(whole.output), 1e-12);
      expect(() => net.forward(normals([2, 5, 3], 1))).toThrow(/takes \[N, T, 2\]/);
    });

    test("has gradients to second order", () => {
      const net = new kinds[kind](1, 2, { dtype, bidirectional: kind === "RNN" }).initialize(1);
      checkModule(net, [normals([1, 2, 1], 1)], (x) => {
        const { output, state } = net.forward(x);
        return [output, ...state];
      });
    });
  });
}

describe("Mamba", () => {
  test("step by step, or in pieces of any size, it is the whole; compiled too", () => {
    const block = new nn.Mamba(3, { states: 4, taps: 3, dtype }).initialize(1);
    const x = normals([2, 6, 3], 1);
    const whole = block.forward(x);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 6, maxLength: 6 }), (sizes) => {
        let state = block.start(2, dtype);
        const parts: Tensor[] = [];
        for (let at = 0, i = 0; at < 6; i++) {
          const count = Math.min(sizes[i], 6 - at);
          const next = block.advance(x.narrow(1, at, count), state);
          parts.push(next.y);
          state = next.state;
          at += count;
        }
        close(concat(parts, 1), values(whole), 1e-12);
      }),
      { numRuns: 5 },
    );
    close(compile((input: Tensor) => block.forward(input))(x), values(whole), 1e-12);
    close(block.forward(x.narrow(0, 1, 1)), values(whole.narrow(0, 1, 1)), 1e-12);
    // The future changes nothing.
    const changed = concat([x.narrow(1, 0, 4), normals([2, 2, 3], 9)], 1);
    close(block.forward(changed).narrow(1, 0, 4), values(whole.narrow(1, 0, 4)), 1e-12);
  });

  test("starts as the paper says, and has gradients to second order", () => {
    const block = new nn.Mamba(1, { states: 2, taps: 2, expand: 1, dtype }).initialize(4);
    expect(values(block.aLog)).toEqual([0, Math.log(2)]);
    const step = Math.log1p(Math.exp((block.dtProj.bias as Tensor).item()));
    expect(step).toBeGreaterThan(0.0009);
    expect(step).toBeLessThan(0.11);
    checkModule(block, [normals([1, 3, 1], 1)], (x) => block.forward(x));
    expect(() => block.forward(normals([3, 1], 1))).toThrow(/\[N, T, size\]/);
  });
});
