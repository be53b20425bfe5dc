// Runs cases, one verdict each.

import { SluiceError } from "../../engine/index.ts";
import {
  decodeOnnxTensor,
  loadOnnx,
  type OnnxModel,
  type OnnxValue,
  UnsupportedOnnxError,
} from "../../engine/io/onnx/index.ts";
import type { Case, DataSet } from "./cases.ts";
import { difference, type Tolerance } from "./compare.ts";

export type Outcome = "passed" | "failed" | "unsupported";

export interface Verdict {
  readonly name: string;
  readonly folder: string;
  /** The operator of a model of one node; of several, that and their number. */
  readonly operator: string;
  readonly outcome: Outcome;
  /** Why it did not pass. */
  readonly reason?: string;
  readonly milliseconds: number;
}

/** Never throws: what goes wrong is the verdict. */
export async function judge(test: Case, tolerance: Tolerance): Promise<Verdict> {
  const start = performance.now();
  let operator = "(not read)";
  const verdict = (outcome: Outcome, reason?: string): Verdict => ({
    name: test.name,
    folder: test.folder,
    operator,
    outcome,
    ...(reason !== undefined && { reason }),
    milliseconds: performance.now() - start,
  });
  try {
    const model = await loadOnnx(test.model());
    operator = model.operators.length === 1 ? model.operators[0] : "(several operators)";
    const sets = test.dataSets();
    if (sets.length === 0) return verdict("unsupported", "the case has no data sets");
    for (const set of sets) {
      const reason = await check(model, set, tolerance);
      if (reason !== undefined) return verdict("failed", sets.length === 1 ? reason : `${set.name}: ${reason}`);
    }
    return verdict("passed");
  } catch (error) {
    if (error instanceof UnsupportedOnnxError) return verdict("unsupported", error.message);
    const { name, message } = error as Error;
    return verdict("failed", error instanceof SluiceError ? `${name}: ${message}` : `${(error as Error).stack}`);
  }
}

async function check(model: OnnxModel, set: DataSet, tolerance: Tolerance): Promise<string | undefined> {
  const strange = [...model.inputs, ...model.outputs].find(({ type }) => type === undefined);
  if (strange !== undefined)
    throw new UnsupportedOnnxError("onnx", `"${strange.name}" is no tensor of a type the engine carries`);
  const inputs: Record<string, OnnxValue> = {};
  for (const [i, bytes] of set.inputs.entries()) {
    const { name, type } = model.inputs[i];
    inputs[name] = await decodeOnnxTensor(bytes, type);
  }
  const outputs = await model.runValues(inputs);
  for (const [i, bytes] of set.outputs.entries()) {
    const { name, type } = model.outputs[i];
    const wrong = await difference(outputs[name], await decodeOnnxTensor(bytes, type), tolerance);
    if (wrong !== undefined) return `output "${name}" ${wrong}`;
  }
  return undefined;
}
