// Folders of ONNX backend test cases: a model, and data sets of inputs and the outputs they must give.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

export interface DataSet {
  readonly name: string;
  /** Bytes of one tensor each, in the order of the model's inputs and outputs. */
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
}

export interface Case {
  readonly name: string;
  readonly folder: string;
  model(): Uint8Array;
  dataSets(): DataSet[];
}

const modelFile = "model.onnx";

/** Every folder below (and including) this one that holds a model, sorted by path. */
export function findCases(folder: string): Case[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  const here = existsSync(join(folder, modelFile)) ? [caseOf(folder)] : [];
  const below = entries.filter((entry) => entry.isDirectory()).flatMap((entry) => findCases(join(folder, entry.name)));
  return [...here, ...below];
}

const caseOf = (folder: string): Case => ({
  name: basename(folder),
  folder,
  model: () => readFileSync(join(folder, modelFile)),
  dataSets: () =>
    readdirSync(folder)
      .filter((name) => name.startsWith("test_data_set_"))
      .sort()
      .map((name) => ({
        name,
        inputs: numbered(join(folder, name), "input_"),
        outputs: numbered(join(folder, name), "output_"),
      })),
});

/** input_0.pb, input_1.pb, ... up to the first that is not there. */
function numbered(folder: string, prefix: string): Uint8Array[] {
  const files: Uint8Array[] = [];
  for (let i = 0; existsSync(join(folder, `${prefix}${i}.pb`)); i++)
    files.push(readFileSync(join(folder, `${prefix}${i}.pb`)));
  return files;
}
