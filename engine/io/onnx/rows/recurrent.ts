// RNN, GRU and LSTM: both directions, either layout, lengths of their own for each sample, peepholes, clips.

import { clamp, elu, leakyRelu, relu, softplus } from "../../../ops/activations.ts";
import { abs, add, div, less, lessEqual, mul, sigmoid, sub, tanh, where } from "../../../ops/elementwise.ts";
import { concat, stack } from "../../../ops/joining.ts";
import { matmul } from "../../../ops/linalg.ts";
import { flip, permute, reshape, t } from "../../../ops/movement.ts";
import { filled, positions } from "../../../ops/operand.ts";
import { scan } from "../../../ops/scan.ts";
import { narrow, select, split } from "../../../ops/slicing.ts";
import type { Tensor } from "../../../tensor.ts";
import type { Call, Output, Row } from "../call.ts";

type Activation = (x: Tensor) => Tensor;

const known: Readonly<Record<string, (alpha?: number, beta?: number) => Activation>> = {
  affine:
    (alpha = 1, beta = 0) =>
    (x) =>
      add(mul(x, alpha), beta),
  elu:
    (alpha = 1) =>
    (x) =>
      elu(x, alpha),
  hardsigmoid:
    (alpha = 0.2, beta = 0.5) =>
    (x) =>
      clamp(add(mul(x, alpha), beta), 0, 1),
  leakyrelu:
    (alpha = 0.01) =>
    (x) =>
      leakyRelu(x, alpha),
  relu: () => relu,
  scaledtanh:
    (alpha = 1, beta = 1) =>
    (x) =>
      mul(tanh(mul(x, beta)), alpha),
  sigmoid: () => sigmoid,
  softplus: () => softplus,
  softsign: () => (x) => div(x, add(abs(x), 1)),
  tanh: () => tanh,
  thresholdedrelu:
    (alpha = 1) =>
    (x) =>
      where(lessEqual(x, alpha), 0, x),
};
/** How many of the lists of alphas and betas each takes. */
const takes: Readonly<Record<string, readonly [alphas: number, betas: number]>> = {
  affine: [1, 1],
  elu: [1, 0],
  hardsigmoid: [1, 1],
  leakyrelu: [1, 0],
  scaledtanh: [1, 1],
  thresholdedrelu: [1, 0],
};

/** `count` activations for each direction. */
function activationsOf(call: Call, defaults: readonly string[], directions: number): Activation[][] {
  const names = call.strings("activations") ?? Array.from({ length: directions }, () => defaults).flat();
  const [alphas, betas] = [[...(call.floats("activation_alpha") ?? [])], [...(call.floats("activation_beta") ?? [])]];
  const clip = call.float("clip");
  const list = names.map((name): Activation => {
    const key = name.toLowerCase();
    const make = known[key] ?? call.unsupported(`activation ${name}`);
    const [a, b] = takes[key] ?? [0, 0];
    const fn = make(a === 0 ? undefined : alphas.shift(), b === 0 ? undefined : betas.shift());
    return clip === undefined ? fn : (x) => fn(clamp(x, -clip, clip));
  });
  return Array.from({ length: directions }, (_, d) => list.slice(d * defaults.length, (d + 1) * defaults.length));
}

/** One direction: weights of its gates, and the state it starts from. */
interface Weights {
  /** [I, G * H] and [H, G * H]. */
  readonly input: Tensor;
  readonly hidden: Tensor;
  /** [G * H] each; zeros where the model has none. */
  readonly inputBias: Tensor;
  readonly hiddenBias: Tensor;
  /** [P * H], for LSTM. */
  readonly peepholes: Tensor | undefined;
}

type State = readonly Tensor[];
/** The next state (the output is its first) from the input's share of the gates [B, G * H]. */
type Cell = (gates: Tensor, state: State, weights: Weights, functions: readonly Activation[], call: Call) => State;

const rnnCell: Cell = (gates, [h], w, [f]) => [f(add(gates, add(matmul(h, w.hidden), w.hiddenBias)))];

/** Gates in the order update, reset, hidden. */
const gruCell: Cell = (gates, [h], w, [f, g], call) => {
  const [xz, xr, xh] = thirds(gates);
  const [rz, rr, rh] = thirds(w.hidden);
  const [bz, br, bh] = split(w.hiddenBias, h.shape[1], 0);
  const update = f(add(xz, add(matmul(h, rz), bz)));
  const reset = f(add(xr, add(matmul(h, rr), br)));
  const proposal = call.flag("linear_before_reset")
    ? add(xh, mul(reset, add(matmul(h, rh), bh)))
    : add(xh, add(matmul(mul(reset, h), rh), bh));
  return [add(mul(sub(1, update), g(proposal)), mul(update, h))];
};

const thirds = (x: Tensor): Tensor[] => split(x, x.shape[1] / 3, 1);

/** Gates in the order input, output, forget, cell. */
const lstmCell: Cell = (gates, [h, c], w, [f, g, hOf], call) => {
  const all = add(gates, add(matmul(h, w.hidden), w.hiddenBias));
  const [i, o, forget, cell] = split(all, h.shape[1], 1);
  const [pi, po, pf] = w.peepholes === undefined ? [] : split(w.peepholes, h.shape[1], 0);
  const looking = (gate: Tensor, peephole: Tensor | undefined, at: Tensor): Tensor =>
    f(peephole === undefined ? gate : add(gate, mul(peephole, at)));
  const input = looking(i, pi, c);
  const keep = call.flag("input_forget") ? sub(1, input) : looking(forget, pf, c);
  const next = add(mul(keep, c), mul(input, g(cell)));
  return [mul(looking(o, po, next), hOf(next)), next];
};

interface Kind {
  readonly gates: number;
  readonly states: number;
  readonly activations: readonly string[];
  readonly cell: Cell;
}

/** Outputs of one direction: [T, B, H], and the last states [B, H]. */
function run(
  kind: Kind,
  x: Tensor,
  lengths: Tensor | undefined,
  start: State,
  w: Weights,
  fns: Activation[],
  call: Call,
) {
  const [steps, batch] = x.shape;
  // The share of the inputs is one product for the whole sequence.
  const gates = add(matmul(x, w.input), w.inputBias);
  const time = positions([steps, 1, 1], 0);
  const alive = lengths === undefined ? undefined : less(time, reshape(lengths, [1, batch, 1]));
  const [last, ys] = scan(
    (state: State, step: { gates: Tensor; alive?: Tensor }) => {
      const next = kind.cell(step.gates, state, w, fns, call);
      if (step.alive === undefined) return [next, next[0]] as const;
      // Past its length a sample keeps its state and gives 0.
      const { alive: lives } = step;
      return [next.map((value, i) => where(lives, value, state[i])), where(lives, next[0], 0)] as const;
    },
    start,
    (alive === undefined ? { gates } : { gates, alive }) as { gates: Tensor },
  );
  return { ys, last };
}

/** Each sample's first elements in reverse, the rest in place: [T, B, ...]. */
function reversed(x: Tensor, lengths: readonly number[] | undefined): Tensor {
  if (lengths === undefined) return flip(x, 0);
  const samples = lengths.map((length, b) => {
    const sample = select(x, 1, b);
    const [head, tail] = [narrow(sample, 0, 0, length), narrow(sample, 0, length, x.shape[0] - length)];
    return [flip(head, 0), tail];
  });
  return stack(
    samples.map(([head, tail]) => joinTime(head, tail)),
    1,
  );
}

const joinTime = (head: Tensor, tail: Tensor): Tensor => (tail.shape[0] === 0 ? head : concat([head, tail], 0));

const recurrent =
  (kind: Kind): Row =>
  async (call): Promise<Awaited<Output>> => {
    const batchFirst = call.int("layout", 0) === 1;
    const X = call.tensor(0);
    const x = batchFirst ? permute(X, [1, 0, 2]) : X;
    const [W, R, B] = [call.tensor(1), call.tensor(2), call.maybeTensor(3)];
    const hidden = call.int("hidden_size", R.shape[2]);
    const direction = call.choice("direction", ["forward", "reverse", "bidirectional"], "forward");
    const directions = W.shape[0];
    const functions = activationsOf(call, kind.activations, directions);
    const lengths = call.optional(4) === undefined ? undefined : await call.integers(4);
    const zeros = filled([x.shape[1], hidden], x.dtype, 0);
    const starts = Array.from({ length: kind.states }, (_, i) => {
      const given = call.maybeTensor(5 + i);
      return given === undefined || !batchFirst ? given : permute(given, [1, 0, 2]);
    });
    const peepholes = kind.states === 2 ? call.maybeTensor(7) : undefined;
    const found = Array.from({ length: directions }, (_, d) => {
      const backward = direction === "reverse" || d === 1;
      const bias = B === undefined ? filled([2 * kind.gates * hidden], x.dtype, 0) : select(B, 0, d);
      const [inputBias, hiddenBias] = split(bias, kind.gates * hidden, 0);
      const weights: Weights = {
        input: t(select(W, 0, d)),
        hidden: t(select(R, 0, d)),
        inputBias,
        hiddenBias,
        peepholes: peepholes && select(peepholes, 0, d),
      };
      const start = starts.map((state) => (state === undefined ? zeros : select(state, 0, d)));
      const sequence = backward ? reversed(x, lengths) : x;
      const { ys, last } = run(kind, sequence, call.maybeTensor(4), start, weights, functions[d], call);
      return { ys: backward ? reversed(ys, lengths) : ys, last };
    });
    // [T, D, B, H], or [B, T, D, H]; the last states [D, B, H], or [B, D, H].
    const ys = stack(
      found.map(({ ys }) => ys),
      1,
    );
    const last = (i: number): Tensor => {
      const states = stack(
        found.map(({ last }) => last[i]),
        0,
      );
      return batchFirst ? permute(states, [1, 0, 2]) : states;
    };
    const results = [batchFirst ? permute(ys, [2, 0, 1, 3]) : ys, ...starts.map((_, i) => last(i))];
    return results.map((result) => call.as(0, result));
  };

export const recurrents: Readonly<Record<string, Row>> = {
  GRU: recurrent({ gates: 3, states: 1, activations: ["Sigmoid", "Tanh"], cell: gruCell }),
  LSTM: recurrent({ gates: 4, states: 2, activations: ["Sigmoid", "Tanh", "Tanh"], cell: lstmCell }),
  RNN: recurrent({ gates: 1, states: 1, activations: ["Tanh"], cell: rnnCell }),
};
