// A gate added late, to a model trained without one (the paper's appendix A.7: it neither removes sinks nor helps).

import { ArgumentError } from "../../engine/index.ts";
import { TransformerLM, type TransformerLMOptions } from "./model.ts";

/** What is added: `gateBias` is where it starts, such as 4 for nearly open. Without it outputs are halved at first. */
export type GateChange = Pick<TransformerLMOptions, "gate" | "gateBias" | "gateInputDims">;

/**
 * A model with the weights of another one and a gate that it did not have, drawn from the seed.
 * @throws ArgumentError where the other model has a gate
 */
export async function withLateGate(model: TransformerLM, change: GateChange, seed: number): Promise<TransformerLM> {
  const { gate = null } = model.options;
  if (gate !== null) throw new ArgumentError("withLateGate", `the model has a gate at ${gate.position}`);
  const gated = new TransformerLM({ ...model.options, ...change, seed });
  await gated.loadStateDict({ ...(await gated.stateDict()), ...(await model.stateDict()) });
  return gated;
}
