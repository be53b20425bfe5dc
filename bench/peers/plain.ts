// The measured process of plain JavaScript on typed arrays, where a loop or a built-in is what one would write.

import { type Builders, numberOf } from "../harness/protocol.ts";
import { serve } from "../harness/serve.ts";

const builders: Builders = {
  cumsum: ({ x }) => {
    const y = new Float32Array(x.data.length);
    const run = (): Float32Array => {
      let sum = 0;
      for (let i = 0; i < y.length; i++) y[i] = sum += x.data[i];
      return y;
    };
    return { run, result: run };
  },
  linearRecurrence: ({ a, b }, { backward }) => {
    if (backward) return undefined;
    const [batch, length, width] = a.shape;
    const h = new Float32Array(b.data.length);
    const run = (): Float32Array => {
      for (let row = 0; row < batch * length; row++) {
        const start = row * width;
        const first = row % length === 0;
        for (let i = start; i < start + width; i++) h[i] = (first ? 0 : a.data[i] * h[i - width]) + b.data[i];
      }
      return h;
    };
    return { run, result: run };
  },
  argsort: ({ x }) => {
    const keys = x.data;
    const order = new Int32Array(keys.length);
    const run = (): Int32Array => {
      for (let i = 0; i < order.length; i++) order[i] = i;
      return order.sort((i, j) => keys[i] - keys[j]);
    };
    return { run, result: () => Array.from(run(), (at) => keys[at]) };
  },
  topk: ({ x }, params) => {
    const [rows, length] = x.shape;
    const k = numberOf(params, "k");
    const best = new Float32Array(rows * k);
    const run = (): Float32Array => {
      for (let row = 0; row < rows; row++) {
        const sorted = x.data.slice(row * length, (row + 1) * length).sort();
        for (let i = 0; i < k; i++) best[row * k + i] = sorted[length - 1 - i];
      }
      return best;
    };
    return { run, result: run };
  },
};

await serve(`Node ${process.versions.node}`, builders);
