// Recurrent networks on the general scan: RNN, GRU and LSTM, with equations and layouts as in PyTorch, batch first.

import { concat, type DType, formatShape, ShapeError, scan, stack, type Tensor, zeros } from "../engine/index.ts";
import { checkSizes } from "./checks.ts";
import { Dropout } from "./dropout.ts";
import { uniform } from "./init.ts";
import { Module } from "./module.ts";
import { parameter } from "./parameter.ts";

export interface RecurrentOptions {
  /** Layers on top of each other; default 1. */
  readonly layers?: number;
  /** Whether each layer also reads from the end: twice the features come out. */
  readonly bidirectional?: boolean;
  /** Default true. */
  readonly bias?: boolean;
  /** Between layers; default 0. */
  readonly dropout?: number;
  readonly dtype?: DType;
}

export interface RecurrentResult {
  /** [N, T, hidden], twice as many features where bidirectional. */
  readonly output: Tensor;
  /** After the last step, one tensor per part of the state (LSTM: h and c): [layers (* 2), N, hidden]. */
  readonly state: readonly Tensor[];
}

/** The state of one layer before a step, and what the inputs add to the gates, to the state after it; h is first. */
type Advance = (state: readonly Tensor[], input: Tensor, recurrent: Tensor) => Tensor[];

/** One layer in one direction: weightIh [gates * hidden, input], weightHh [gates * hidden, hidden]. */
class RecurrentCell extends Module<[x: Tensor, state: readonly Tensor[]], RecurrentResult> {
  readonly weightIh: Tensor;
  readonly weightHh: Tensor;
  readonly biasIh: Tensor | undefined;
  readonly biasHh: Tensor | undefined;
  readonly #advance: Advance;
  readonly #reverse: boolean;

  constructor(
    input: number,
    hidden: number,
    gates: number,
    advance: Advance,
    reverse: boolean,
    { bias = true, dtype }: RecurrentOptions,
  ) {
    super();
    const init = uniform(-1 / Math.sqrt(hidden), 1 / Math.sqrt(hidden));
    this.weightIh = parameter([gates * hidden, input], init, { dtype });
    this.weightHh = parameter([gates * hidden, hidden], init, { dtype });
    this.biasIh = bias ? parameter([gates * hidden], init, { dtype }) : undefined;
    this.biasHh = bias ? parameter([gates * hidden], init, { dtype }) : undefined;
    this.#advance = advance;
    this.#reverse = reverse;
  }

  override forward(x: Tensor, state: readonly Tensor[]): RecurrentResult {
    const plus = (product: Tensor, bias: Tensor | undefined): Tensor =>
      bias === undefined ? product : product.add(bias);
    // What the inputs say is one product for all steps; only the state's part must wait for its turn.
    const inputs = plus(x.matmul(this.weightIh.transpose(0, 1)), this.biasIh).transpose(0, 1);
    const recurrent = this.weightHh.transpose(0, 1);
    const [last, outputs] = scan(
      (before: readonly Tensor[], input: Tensor) => {
        const after = this.#advance(before, input, plus(before[0].matmul(recurrent), this.biasHh));
        return [after, after[0]] as const;
      },
      state,
      inputs,
      { reverse: this.#reverse },
    );
    return { output: outputs.transpose(0, 1), state: last };
  }
}

/** x [N, T, input] -> output [N, T, hidden], and the state after the last step, to go on from. */
abstract class Recurrent extends Module<[x: Tensor, state?: readonly Tensor[]], RecurrentResult> {
  /** Layer by layer; where bidirectional, forwards then backwards. */
  readonly cells: readonly RecurrentCell[];
  readonly dropout: Dropout;
  readonly input: number;
  readonly hidden: number;
  readonly directions: number;
  readonly #parts: number;

  constructor(
    name: string,
    [input, hidden]: readonly [number, number],
    { gates, parts, advance }: { readonly gates: number; readonly parts: number; readonly advance: Advance },
    options: RecurrentOptions,
  ) {
    super();
    const { layers = 1, bidirectional = false, dropout = 0 } = options;
    checkSizes(name, { input, hidden, layers });
    this.input = input;
    this.hidden = hidden;
    this.directions = bidirectional ? 2 : 1;
    this.#parts = parts;
    this.dropout = new Dropout(dropout);
    this.cells = Array.from({ length: layers * this.directions }, (_, i) => {
      const from = i < this.directions ? input : hidden * this.directions;
      return new RecurrentCell(from, hidden, gates, advance, i % this.directions === 1, options);
    });
  }

  /** @param state as returned; default zeros. @throws ShapeError */
  override forward(x: Tensor, state?: readonly Tensor[]): RecurrentResult {
    const { cells, directions, hidden } = this;
    if (x.rank !== 3 || x.shape[2] !== this.input)
      throw new ShapeError(this.constructor.name, `takes [N, T, ${this.input}], got ${formatShape(x.shape)}`);
    const start =
      state ?? Array.from({ length: this.#parts }, () => zeros([cells.length, x.shape[0], hidden], { dtype: x.dtype }));
    const results: RecurrentResult[] = [];
    let value = x;
    for (let i = 0; i < cells.length; i += directions) {
      const given = i === 0 ? value : this.dropout.forward(value);
      const layer = cells.slice(i, i + directions).map((cell, k) =>
        cell.forward(
          given,
          start.map((part) => part.select(0, i + k)),
        ),
      );
      results.push(...layer);
      value =
        directions === 1
          ? layer[0].output
          : concat(
              layer.map(({ output }) => output),
              -1,
            );
    }
    const last = start.map((_, part) => stack(results.map((result) => result.state[part])));
    return { output: value, state: last };
  }
}

export interface RNNOptions extends RecurrentOptions {
  /** Default "tanh". */
  readonly activation?: "tanh" | "relu";
}

/** h' = tanh(W_ih x + b_ih + W_hh h + b_hh) (Elman 1990). */
export class RNN extends Recurrent {
  constructor(input: number, hidden: number, { activation = "tanh", ...options }: RNNOptions = {}) {
    const advance: Advance = (_state, fromInput, fromState) => {
      const sum = fromInput.add(fromState);
      return [activation === "relu" ? sum.relu() : sum.tanh()];
    };
    super("RNN", [input, hidden], { gates: 1, parts: 1, advance }, options);
  }
}

/** Gates r, z, n in this order: n = tanh(x_n + r h_n), h' = (1 - z) n + z h (Cho et al. 2014, PyTorch's variant). */
export class GRU extends Recurrent {
  constructor(input: number, hidden: number, options: RecurrentOptions = {}) {
    const advance: Advance = ([h], fromInput, fromState) => {
      const [xr, xz, xn] = fromInput.split(hidden, -1);
      const [hr, hz, hn] = fromState.split(hidden, -1);
      const z = xz.add(hz).sigmoid();
      const n = xn.add(xr.add(hr).sigmoid().mul(hn)).tanh();
      return [n.add(z.mul(h.sub(n)))];
    };
    super("GRU", [input, hidden], { gates: 3, parts: 1, advance }, options);
  }
}

/** Gates i, f, g, o in this order: c' = f c + i g, h' = o tanh(c') (Hochreiter & Schmidhuber 1997). State: h, c. */
export class LSTM extends Recurrent {
  constructor(input: number, hidden: number, options: RecurrentOptions = {}) {
    const advance: Advance = ([, c], fromInput, fromState) => {
      const [i, f, g, o] = fromInput.add(fromState).split(hidden, -1);
      const next = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
      return [o.sigmoid().mul(next.tanh()), next];
    };
    super("LSTM", [input, hidden], { gates: 4, parts: 2, advance }, options);
  }
}
