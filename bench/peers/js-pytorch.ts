// The measured process of js-pytorch: nested arrays of numbers, one thread. Its operations copy what they are given.

import { readFileSync } from "node:fs";
import { torch } from "js-pytorch";
import { measureMemory } from "../harness/memory.ts";
import { type Build, type Builders, type HostInput, numberOf } from "../harness/protocol.ts";
import { recordLosses, serve } from "../harness/serve.ts";

const { nn } = torch;
type Tensor = InstanceType<typeof torch.Tensor>;
type Nested = number | Nested[];

const nest = (data: ArrayLike<number>, [side, ...rest]: readonly number[], offset = 0): Nested => {
  if (side === undefined) return data[offset];
  const stride = rest.reduce((product, n) => product * n, 1);
  return Array.from({ length: side }, (_, i) => nest(data, rest, offset + i * stride));
};

const upload = ({ data, shape }: HostInput, requiresGrad = false): Tensor =>
  new torch.Tensor(nest(data, shape) as Nested[], requiresGrad);

const flat = (values: unknown): number[] => [values].flat(Number.POSITIVE_INFINITY) as number[];

const pure =
  (fn: (x: { [name: string]: Tensor }, params: Parameters<Build>[1]) => Tensor): Build =>
  (inputs, params) => {
    if (params.backward) return undefined;
    const tensors = Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, upload(input)]));
    const run = (): Tensor => fn(tensors, params);
    return { run, result: () => flat(run().data) };
  };

const builders: Builders = {
  exp: pure(({ x }) => torch.exp(x)),
  log: pure(({ x }) => torch.log(x)),
  softmax: pure(({ x }) => new nn.Softmax().forward(x, -1)),
  // Its sums are over one axis: both axes take two of them.
  sum: pure(({ x }, { axes }) => (axes === "both" ? x.sum(1).sum(0) : x.sum(axes === "last" ? 1 : 0))),
  matmul: pure(({ a, b }, { transposeA, transposeB }) =>
    torch.matmul(transposeA ? torch.transpose(a, 0, 1) : a, transposeB ? torch.transpose(b, 0, 1) : b),
  ),
  mlp: ({ x, y, ...parameters }, params) => {
    const rate = numberOf(params, "lr");
    const [batch, targets] = [upload(x), upload(y)];
    const list = Object.fromEntries(Object.entries(parameters).map(([name, p]) => [name, upload(p, true)]));
    const [relu, loss] = [new nn.ReLU(), new nn.CrossEntropyLoss()];
    const job = recordLosses(() => {
      const hidden = relu.forward(torch.add(torch.matmul(batch, list.w1), list.b1));
      const value = loss.forward(torch.add(torch.matmul(hidden, list.w2), list.b2), targets);
      value.backward();
      for (const p of Object.values(list)) {
        p._data = descend(p.data, p.grad, rate) as Nested[];
        p.zero_grad();
      }
      value.zero_grad_graph();
      return flat(value.data)[0];
    });
    return { ...job, measure: () => measureMemory(job.run, numberOf(params, "steps")) };
  },
};

/** It has Adam but no SGD: p - rate * gradient. */
const descend = (p: Nested, gradient: Nested, rate: number): Nested =>
  typeof p === "number"
    ? p - rate * (gradient as number)
    : p.map((part, i) => descend(part, (gradient as Nested[])[i], rate));

const manifest = new URL("node_modules/js-pytorch/package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
await serve(version, builders);
