// SIGMA's training step: the model of papers/sigma itself, compiled with its optimizer.

import { compile, type Tensor } from "../../engine/index.ts";
import { Adam } from "../../nn/index.ts";
import { Sigma } from "../../papers/sigma/model/index.ts";
import { type Builders, numberOf } from "../harness/protocol.ts";
import { recordLosses } from "../harness/serve.ts";
import { upload } from "./compiled.ts";

export const sigma: Builders = {
  sigma: (inputs, params) => {
    const [items, size, states, kept, maxLength, eps] = ["items", "size", "states", "kept", "length", "normEps"].map(
      (key) => numberOf(params, key),
    );
    const model = new Sigma({ items, size, states, kept, maxLength, eps, dropout: 0, gateDropout: 0 });
    for (const [name, parameter] of model.namedParameters()) parameter.copyFrom(inputs[name].data);
    const optimizer = new Adam(model.parameters(), {
      lr: numberOf(params, "lr"),
      betas: [numberOf(params, "beta1"), numberOf(params, "beta2")],
      eps: numberOf(params, "eps"),
    });
    const step = compile((ids: Tensor, lengths: Tensor, targets: Tensor) => {
      optimizer.zeroGrad();
      const loss = model.loss(ids, lengths, targets);
      loss.backward();
      optimizer.step();
      return loss;
    });
    const [ids, lengths, targets] = ["ids", "lengths", "targets"].map((name) => upload(inputs[name]));
    return recordLosses(() => step(ids, lengths, targets).item());
  },
};
