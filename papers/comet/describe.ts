// The models in numbers: modules, shapes, parameters and multiply-adds, without making any of them.

import type { Shape } from "../../engine/index.ts";
import { COMETGate, DSelectKGate, MLPExperts, SoftmaxGate, TopKGate } from "../../moe/index.ts";
import { countOf, Linear } from "../../nn/index.ts";
import type { ModelDescription, ModuleRow } from "../paper.ts";
import type { CometPaperConfig, GateName } from "./config.ts";
import { expertSizes, headSizes } from "./digits.ts";
import { inputDim, outputDim } from "./pairs-data.ts";

type PlainGate = Exclude<GateName, `${string}+`>;

interface GateSizes {
  readonly inputDim: number;
  readonly nExperts: number;
  readonly k: number;
}

/** A gate's row: its multiply-adds are one per weight, since each hyperplane and score is a dot product. */
export function gateRow(name: string, gate: PlainGate, sizes: GateSizes): ModuleRow {
  const shape = `[B, ${sizes.inputDim}] -> [B, ${sizes.nExperts}]`;
  const row = (type: string, shapes: Readonly<Record<string, Shape>>): ModuleRow => {
    const parameters = countOf(shapes);
    // The last axis of a matrix is the input's; what is smaller is a bias.
    const matrices = Object.entries(shapes).filter(([, sides]) => sides.at(-1) === sizes.inputDim && sides.length > 1);
    return { name, type, shape, parameters, multiplyAdds: countOf(Object.fromEntries(matrices)) };
  };
  switch (gate) {
    case "comet":
      return row("COMETGate", COMETGate.shapes(sizes));
    case "dselect":
      return row("DSelectKGate", DSelectKGate.shapes(sizes));
    case "topk":
      return row("TopKGate", TopKGate.shapes(sizes));
    case "softmax":
      return row("SoftmaxGate", SoftmaxGate.shapes(sizes));
    case "hash":
      return { name, type: "HashGate", shape: `[B] ids -> [B, ${sizes.nExperts}]`, parameters: 0, multiplyAdds: 0 };
  }
}

function expertsRow(nExperts: number, sizes: readonly number[]): ModuleRow {
  const shapes = MLPExperts.shapes({ nExperts, sizes });
  const weights = Object.entries(shapes).filter(([name]) => name.endsWith("weight"));
  return {
    name: "experts",
    type: "MLPExperts",
    shape: `[B, ${sizes[0]}] -> [${nExperts}, B, ${sizes.at(-1)}]`,
    parameters: countOf(shapes),
    multiplyAdds: countOf(Object.fromEntries(weights)),
  };
}

/** Linear layers from size to size, as one row. */
function headRow(name: string, sizes: readonly number[]): ModuleRow {
  const layers = sizes.slice(1).map((out, i) => Linear.shapes(sizes[i], out));
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, value) => total + value, 0);
  return {
    name,
    type: "Sequential",
    shape: `[B, ${sizes[0]}] -> [B, ${sizes.at(-1)}]`,
    parameters: sum(layers.map((shapes) => countOf(shapes))),
    multiplyAdds: sum(layers.map(({ weight }) => countOf({ weight }))),
  };
}

/** The paper's MovieLens model (not trained here): n = 16, k = 2, two tasks, gates on the 256-d embedding. */
export const movieLens = { users: 6040, movies: 3952, embedding: 128, nExperts: 16, k: 2, width: 256 } as const;

/** Its modules with one of the gates. */
export function movieLensRows(gate: PlainGate): ModuleRow[] {
  const { users, movies, embedding, nExperts, k, width } = movieLens;
  const lookup = (name: string, count: number): ModuleRow => ({
    name,
    type: "Embedding",
    shape: `[B] ids -> [B, ${embedding}]`,
    parameters: countOf({ weight: [count, embedding] }),
    multiplyAdds: 0,
  });
  const sizes = { inputDim: 2 * embedding, nExperts, k };
  return [
    lookup("users", users),
    lookup("movies", movies),
    expertsRow(nExperts, [2 * embedding, width]),
    ...["watched", "rating"].flatMap((task) => [
      gateRow(`gate (${task})`, gate, sizes),
      headRow(`head (${task})`, [width, 256, 1]),
    ]),
  ];
}

export function describeModels({ pairs, digits }: CometPaperConfig): ModelDescription {
  const pairsGate = { inputDim, nExperts: pairs.nExperts, k: pairs.k };
  const digitsGate = { inputDim: expertSizes[0], nExperts: digits.nExperts, k: digits.k };
  const names = { comet: "COMET", topk: "Top-k", dselect: "DSelect-k", hash: "Hash" } as const;
  return {
    models: [
      {
        name: "Task A, COMET",
        note: `n = ${pairs.nExperts}, k = ${pairs.k}`,
        modules: [gateRow("gate", "comet", pairsGate), expertsRow(pairs.nExperts, [inputDim, pairs.hidden, outputDim])],
      },
      {
        name: "Task A, the other gates",
        note: "same experts",
        modules: (["topk", "dselect", "softmax", "hash"] as const).map((gate) =>
          gateRow(`gate (${gate})`, gate, pairsGate),
        ),
      },
      {
        name: "Task C, COMET",
        note: `n = ${digits.nExperts}, k = ${digits.k}, two tasks`,
        modules: [
          expertsRow(digits.nExperts, expertSizes),
          ...[0, 1].flatMap((task) => [
            gateRow(`gates.${task}`, "comet", digitsGate),
            headRow(`heads.${task}`, headSizes),
          ]),
        ],
      },
      ...(["comet", "topk", "dselect", "hash"] as const).map((gate) => ({
        name: `MovieLens, ${names[gate]}`,
        note: "the paper's configuration, not trained here",
        modules: movieLensRows(gate),
      })),
    ],
  };
}
