// Modules: what they compute, how they find their parameters, and that state survives a round trip.

import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { manualSeed, setBackend, type Tensor, tensor } from "../../engine/index.ts";
import {
  buffer,
  Dropout,
  Embedding,
  GELU,
  init,
  Linear,
  Module,
  ModuleList,
  parameter,
  ReLU,
  redraw,
  roleOf,
  Sequential,
  Sigmoid,
  SiLU,
  Softplus,
  Stream,
  Tanh,
  withParameters,
} from "../../nn/index.ts";
import { checkModule, close, f64, i32, normals, values } from "./tools.ts";

beforeAll(() => setBackend("wasm"));

const dtype = "f64";

class Net extends Module {
  readonly first = new Linear(3, 4);
  readonly blocks = [new Linear(4, 4), new ReLU()] as const;
  readonly list = new ModuleList([new Linear(4, 2, { bias: false })]);
  readonly scale = buffer(tensor([2, 3]));

  override forward(x: Tensor): Tensor {
    const hidden = this.blocks.reduce((value: Tensor, block: Module) => block.forward(value), this.first.forward(x));
    return this.list.items[0].forward(hidden).mul(this.scale);
  }
}

const names = ["first.weight", "first.bias", "blocks.0.weight", "blocks.0.bias", "list.0.weight"];

describe("a module is plain data", () => {
  test("parameters and buffers are found in fields, arrays and containers, by path", () => {
    const net = new Net();
    expect(net.namedParameters().map(([name]) => name)).toEqual(names);
    expect(net.namedBuffers().map(([name]) => name)).toEqual(["scale"]);
    expect(net.parameters().every((p) => p.requiresGrad)).toBe(true);
    expect(
      new Sequential(new Linear(2, 2), new ReLU(), new Linear(2, 1)).namedParameters().map(([name]) => name),
    ).toEqual(["0.weight", "0.bias", "2.weight", "2.bias"]);
  });

  test("a tied module counts once", () => {
    const shared = new Linear(2, 2);
    expect(new Sequential(shared, new ReLU(), shared).parameters()).toHaveLength(2);
  });

  test("train and eval reach everything", () => {
    const net = new Net().eval();
    expect(net.modules().map((m) => m.training)).not.toContain(true);
    expect(
      net
        .train()
        .modules()
        .map((m) => m.training),
    ).not.toContain(false);
  });

  test("initial values depend on the seed and the name only", () => {
    const read = (net: Module): Record<string, number[]> =>
      Object.fromEntries(net.namedParameters().map(([name, p]) => [name, values(p)]));
    const one = read(new Net().initialize(7));
    new Linear(5, 5);
    expect(read(new Net().initialize(7))).toEqual(one);
    expect(read(new Net().initialize(8))).not.toEqual(one);
    // Another module with a parameter of that name has the same values, whatever else it has.
    class Part extends Module {
      readonly other = new Linear(9, 9);
      readonly first = new Linear(3, 4);
      override forward(x: Tensor): Tensor {
        return x;
      }
    }
    expect(read(new Part().initialize(7))["first.weight"]).toEqual(one["first.weight"]);
  });

  test("before that, manualSeed decides", () => {
    const make = (): number[] => {
      manualSeed(5);
      return [...values(new Linear(2, 3).weight), ...values(new Linear(2, 3).weight)];
    };
    const [once, twice] = [make(), make()];
    expect(twice).toEqual(once);
    expect(once.slice(0, 6)).not.toEqual(once.slice(6));
  });

  test("state goes round", async () => {
    const [from, to] = [new Net().initialize(1), new Net().initialize(2)];
    const state = await from.stateDict();
    expect(Object.keys(state)).toEqual([...names, "scale"]);
    from.first.weight.copyFrom(new Float32Array(12));
    await to.loadStateDict(state);
    expect(values(to.first.weight)).not.toEqual(values(from.first.weight));
    expect(await to.stateDict()).toEqual(expect.objectContaining({}));
    const x = tensor([[1, 2, 3]]);
    await from.loadStateDict(await to.stateDict());
    expect(values(from.forward(x))).toEqual(values(to.forward(x)));
  });

  test("loading says everything that is wrong, and changes nothing", async () => {
    const net = new Net().initialize(1);
    const before = values(net.first.weight);
    const state = await new Net().initialize(2).stateDict();
    const { "first.bias": _, ...rest } = state;
    const wrong = { ...rest, "list.0.weight": tensor([1]), scale: i32([1, 2]), extra: tensor([1]) };
    const error = await net.loadStateDict(wrong).catch((e: unknown) => e as Error);
    expect(String(error)).toMatch(/"first.bias" is missing/);
    expect(String(error)).toMatch(/"list.0.weight" is f32 \[1\], needs f32 \[2, 4\]/);
    expect(String(error)).toMatch(/"scale" is i32/);
    expect(String(error)).toMatch(/"extra" is unknown/);
    expect(values(net.first.weight)).toEqual(before);
  });

  test("to() changes the dtype of parameters and buffers", () => {
    const net = new Net().initialize(1);
    const x = normals([2, 3], 1);
    const y32 = values(net.forward(x.cast("f32")));
    const y64 = net.to("f64").forward(x);
    expect(y64.dtype).toBe("f64");
    expect(net.parameters().every((p) => p.dtype === "f64" && p.requiresGrad)).toBe(true);
    close(y64, y32, 1e-5);
  });

  test("withParameters puts everything back, and refuses unknown names", () => {
    const layer = new Linear(1, 1).initialize(0);
    const before = layer.weight;
    expect(
      values(withParameters(layer, { weight: tensor([[2]]), bias: tensor([1]) }, () => layer.forward(tensor([[3]])))),
    ).toEqual([7]);
    expect(() =>
      withParameters(layer, { weight: tensor([[2]]) }, () => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(layer.weight).toBe(before);
    expect(() => withParameters(layer, { wait: tensor(1) }, () => 0)).toThrow(/no "wait"/);
  });
});

describe("layers", () => {
  test("Linear is x W^T + b over any leading axes, with gradients to second order", () => {
    const sizes = fc.record({
      lead: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 2 }),
      p: fc.integer({ min: 1, max: 3 }),
      q: fc.integer({ min: 1, max: 3 }),
      bias: fc.boolean(),
    });
    fc.assert(
      fc.property(sizes, ({ lead, p, q, bias }) => {
        const layer = new Linear(p, q, { bias, dtype }).initialize(p + q);
        const x = normals([...lead, p], 3);
        const [w, b] = [values(layer.weight), layer.bias === undefined ? new Array(q).fill(0) : values(layer.bias)];
        const rows = values(x);
        const expected = Array.from({ length: (rows.length / p) * q }, (_, at) => {
          const [row, o] = [Math.floor(at / q), at % q];
          return rows.slice(row * p, (row + 1) * p).reduce((sum, v, i) => sum + v * w[o * p + i], b[o]);
        });
        const y = layer.forward(x);
        expect(y.shape).toEqual([...lead, q]);
        close(y, expected, 1e-12);
        checkModule(layer, [x], (input) => layer.forward(input));
      }),
      { numRuns: 8 },
    );
    expect(() => new Linear(3, 2).forward(tensor([1, 2]))).toThrow(/takes \[..., 3\] to \[..., 2\], got x \[2\]/);
    expect(() => new Linear(0, 2)).toThrow(/at least 1/);
  });

  test("Embedding looks rows up; a row's gradient is the sum over its uses", () => {
    const table = new Embedding(5, 3, { dtype }).initialize(1);
    const ids = i32([
      [4, 0],
      [4, 2],
    ]);
    const y = table.forward(ids);
    expect(y.shape).toEqual([2, 2, 3]);
    const rows = values(table.weight);
    expect(values(y)).toEqual([4, 0, 4, 2].flatMap((id) => rows.slice(3 * id, 3 * id + 3)));
    checkModule(table, [], () => table.forward(ids).square());
    y.sum().backward();
    expect(values(table.weight.grad as Tensor)).toEqual([1, 0, 1, 0, 2].flatMap((count) => [count, count, count]));
    expect(() => table.forward(f64([1]))).toThrow(/i32/);
  });

  test("Sequential runs in order; activations have gradients to second order", () => {
    const model = new Sequential(
      new Linear(2, 3, { dtype }),
      new Tanh(),
      new Linear(3, 3, { dtype }),
      new GELU(),
      new Linear(3, 2, { dtype }),
      new SiLU(),
      new Softplus(),
      new Sigmoid(),
      new ReLU(),
    ).initialize(3);
    checkModule(model, [normals([2, 2], 1)], (x) => model.forward(x));
  });

  test("Dropout scales what it keeps, keeps the mean, and does nothing outside training", () => {
    manualSeed(1);
    const layer = new Dropout(0.25);
    const y = values(layer.forward(tensor(new Float32Array(40_000).fill(3))));
    expect(new Set(y)).toEqual(new Set([0, 4]));
    expect(y.filter((v) => v === 0).length / y.length).toBeCloseTo(0.25, 1);
    expect(values(layer.eval().forward(tensor([1, 2])))).toEqual([1, 2]);
    for (const rate of [-0.1, 1, Number.NaN]) expect(() => new Dropout(rate)).toThrow(/rate/);
  });
});

describe("initialisers", () => {
  test("have the moments and bounds they promise", () => {
    const stream = new Stream(1, "init");
    const draw = (one: (s: Stream) => number): { mean: number; deviation: number; largest: number } => {
      const list = Array.from({ length: 20_000 }, () => one(stream));
      const mean = list.reduce((a, b) => a + b) / list.length;
      const deviation = Math.sqrt(list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length);
      return { mean, deviation, largest: Math.max(...list.map(Math.abs)) };
    };
    const fans = { fanIn: 30, fanOut: 20 };
    const cases = [
      [init.uniform(-1, 3), 1, 4 / Math.sqrt(12), 3],
      [init.normal(2, 0.5), 2, 0.5, undefined],
      [init.xavierUniform(fans), 0, Math.sqrt(2 / 50), Math.sqrt(6 / 50)],
      [init.glorotNormal(fans), 0, Math.sqrt(2 / 50), undefined],
      [init.kaimingUniform(50), 0, Math.sqrt(2 / 50), Math.sqrt(6 / 50)],
      [init.kaimingNormal(50, 1), 0, Math.sqrt(1 / 50), undefined],
    ] as const;
    for (const [initializer, mean, deviation, bound] of cases) {
      const found = draw(initializer);
      expect(Math.abs(found.mean - mean)).toBeLessThan(0.05 * (1 + deviation));
      expect(Math.abs(found.deviation / deviation - 1)).toBeLessThan(0.03);
      if (bound !== undefined) expect(found.largest).toBeLessThanOrEqual(bound);
    }
    expect(values(parameter([2], init.ones))).toEqual([1, 1]);
  });

  test("streams repeat, and differ by name and seed", () => {
    const take = (seed: number, name: string): number[] => {
      const stream = new Stream(seed, name);
      return [stream.uniform(), stream.normal(), stream.integer(1000), ...stream.permutation(5)];
    };
    expect(take(1, "a")).toEqual(take(1, "a"));
    expect(take(1, "a")).not.toEqual(take(1, "b"));
    expect(take(1, "a")).not.toEqual(take(2, "a"));
    expect([...new Stream(3, "p").permutation(50)].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    );
    expect(() => new Stream(0.5, "x")).toThrow(/whole number/);
  });
});

test("a parameter can be drawn anew, by another initialiser; other tensors cannot", () => {
  const layer = new Linear(3, 2);
  expect([roleOf(layer.weight), roleOf(tensor(1)), roleOf(buffer(tensor(1)))]).toEqual([
    "parameter",
    undefined,
    "buffer",
  ]);
  redraw(layer.weight, init.constant(7));
  expect(values(layer.weight)).toEqual(new Array(6).fill(7));
  // It is the initialiser from now on.
  expect(values(layer.initialize(3).weight)).toEqual(new Array(6).fill(7));
  expect(() => redraw(tensor(1), init.ones)).toThrow(/takes the parameter of a module/);
});
