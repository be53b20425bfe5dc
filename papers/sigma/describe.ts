// The models in numbers: modules, shapes, parameters and multiply-adds, without making any of them.

import type { Shape } from "../../engine/index.ts";
import { countOf } from "../../nn/index.ts";
import type { ModelDescription, ModuleRow } from "../paper.ts";
import type { BERT4RecOptions, GRU4RecOptions, SASRecOptions, SigmaOptions, StateSpaceOptions } from "./model/index.ts";

/** Named shapes of parameters. */
type Shapes = Readonly<Record<string, Shape>>;

const linear = (from: number, to: number): Shapes => ({ weight: [to, from], bias: [to] });

/** A row; `positions` is at how many positions of a history the matrices are applied, `more` multiply-adds beside them. */
function row(name: string, type: string, shape: string, shapes: readonly Shapes[], positions: number, more = 0) {
  const matrices = shapes.flatMap((part) => Object.values(part).filter((sides) => sides.length > 1));
  const each = countOf(Object.fromEntries(matrices.map((sides, i) => [i, sides])));
  const parameters = shapes.reduce((sum, part) => sum + countOf(part), 0);
  return { name, type, shape, parameters, multiplyAdds: positions * each + more } satisfies ModuleRow;
}

const norm = (name: string, size: number, at: string): ModuleRow =>
  row(name, "LayerNorm", `[B, ${at}${size}]`, [{ weight: [size], bias: [size] }], 0);

/** The table: looked up on the way in, one product with it on the way out. */
function tableRow(rows: number, size: number, scored = rows): ModuleRow {
  const shape = `[B, L] ids -> [B, L, ${size}]; [B, ${size}] -> [B, ${scored}]`;
  return { ...row("table", "ItemTable", shape, [{ weight: [rows, size] }], 0), multiplyAdds: scored * size };
}

/** Mamba applied to `readings` sequences of `steps` positions with one set of weights, for `positions` outputs each. */
function mambaRow(name: string, options: MambaSizes, readings: number): ModuleRow {
  const { size, states, taps, expand, steps, positions } = options;
  const [inner, rank] = [expand * size, Math.ceil(size / 16)];
  /** What the state needs at every step, and what an output needs: half of inProj, C of xProj, outProj. */
  const driving = { u: [inner, size], conv: [inner, taps], xProj: [rank + states, inner], dtProj: [inner, rank] };
  const reading = { z: [inner, size], C: [states, inner], outProj: [size, inner] };
  const state = { aLog: [inner, states] };
  // Of the scan, for each state: Delta A, Abar h and Delta u B; C h.
  const multiplyAdds =
    steps * (countOf(driving) + 3 * countOf(state)) + positions * (countOf(reading) + countOf(state));
  const vectors = { convBias: [inner], dtBias: [inner], d: [inner] };
  const parameters = countOf({ ...driving, ...reading, ...state, ...vectors });
  return { name, type: "Mamba", shape: `[B, L, ${size}]`, parameters, multiplyAdds: readings * multiplyAdds };
}

interface MambaSizes {
  readonly size: number;
  readonly states: number;
  readonly taps: number;
  readonly expand: number;
  /** Positions of a history. */
  readonly steps: number;
  /** Those whose output is wanted: all, or one. */
  readonly positions: number;
}

/** The rows of a gate that is applied at `positions` positions of each direction. */
function gateRows(name: string, options: SigmaOptions, size: number, positions: number, last: boolean): ModuleRow[] {
  const { gate = "paper", deltaTied = true } = options;
  const square = linear(size, size);
  const shape = `[B, ${last ? 1 : "L"}, ${size}]`;
  switch (gate) {
    case "off":
      return [];
    case "scalar":
      return [row(name, "ScalarGate", "[2]", [{ weight: [2] }], 0)];
    case "release":
      // dense1 and dense2 serve a direction each, the two others both.
      return [
        row(`${name}.dense`, "Linear x 2", shape, [square, square], positions),
        row(`${name}.activated`, "Linear x 2", shape, [square, square], 2 * positions),
      ];
    case "paper": {
      // Where one position is read, the convolution looks at three.
      const seen = last ? 3 : positions;
      const conv = { weight: [size, size, 3], bias: [size] };
      return [
        row(`${name}.in`, "Linear x 2", shape, [square, square], seen),
        row(`${name}.conv`, "Conv1d", shape, [conv], 2 * positions),
        row(
          `${name}.delta`,
          deltaTied ? "Linear" : "Linear x 2",
          shape,
          deltaTied ? [square] : [square, square],
          2 * positions,
        ),
      ];
    }
  }
}

/** The rows of SIGMA's mixer. `last`: its result is needed at one position only. */
function gmambaRows(name: string, options: SigmaOptions, steps: number, last: boolean): ModuleRow[] {
  const { size = 64, featureExtract = "gru", projection = true, tieDirections = true, flipMode = "valid" } = options;
  const { states = 32, taps = 4, expand = 2 } = options;
  const positions = last ? 1 : steps;
  const sizes = { size, states, taps, expand, steps, positions };
  const both = tieDirections ? [mambaRow(`${name}.pfMamba.mamba`, sizes, flipMode === "off" ? 1 : 2)] : [];
  const own = tieDirections
    ? []
    : ["mamba", "flippedMamba"].map((direction) => mambaRow(`${name}.pfMamba.${direction}`, sizes, 1));
  const conv = row(
    `${name}.features.conv`,
    "Conv1d",
    `[B, L, ${size}]`,
    [{ weight: [size, size, 3], bias: [size] }],
    steps,
  );
  const gru = row(
    `${name}.features.gru`,
    "GRU",
    `[B, L, ${size}]`,
    [{ ih: [3 * size, size], hh: [3 * size, size] }],
    steps,
  );
  const branches = featureExtract === "off" ? 2 : 3;
  return [
    ...both,
    ...own,
    ...gateRows(`${name}.gate`, options, size, positions, last),
    ...(featureExtract === "off" ? [] : [conv]),
    ...(featureExtract === "gru" ? [gru] : []),
    row(`${name}.mix`, "weights", `[${branches}]`, [{ mix: [branches] }], 0, positions * branches * size),
    ...(projection
      ? [row(`${name}.projection`, "Linear", `[B, ${last ? 1 : "L"}, ${size}]`, [linear(size, size)], positions)]
      : []),
  ];
}

/** What SIGMA and Mamba4Rec share, around the rows of their mixers. */
function stateSpaceRows(
  options: StateSpaceOptions,
  mixer: (name: string, steps: number, last: boolean) => readonly ModuleRow[],
): ModuleRow[] {
  const { items, size = 64, layers = 1, maxLength: steps = 50 } = options;
  return [
    tableRow(items, size),
    norm("norm", size, "L, "),
    ...Array.from({ length: layers }, (_, i) => {
      const last = i === layers - 1;
      const at = last ? "1, " : "L, ";
      const inner = [linear(size, 4 * size), linear(4 * size, size)];
      return [
        ...mixer(`layers.${i}.mixer`, steps, last),
        norm(`layers.${i}.norm`, size, at),
        row(`layers.${i}.feedForward`, "FeedForward", `[B, ${at}${size}]`, inner, last ? 1 : steps),
        norm(`layers.${i}.outNorm`, size, at),
      ];
    }).flat(),
  ];
}

export const sigmaRows = (options: SigmaOptions): ModuleRow[] =>
  stateSpaceRows(options, (name, steps, last) => gmambaRows(name, options, steps, last));

export const mamba4RecRows = (options: StateSpaceOptions): ModuleRow[] =>
  stateSpaceRows(options, (name, steps, last) => {
    const { size = 64, states = 32, taps = 4, expand = 2 } = options;
    const positions = last ? 1 : steps;
    return [mambaRow(`${name}.mamba`, { size, states, taps, expand, steps, positions }, 1)];
  });

export function gru4RecRows(options: GRU4RecOptions): ModuleRow[] {
  const { items, size = 64, hidden = 128, maxLength: steps = 50 } = options;
  return [
    tableRow(items, size),
    row("gru", "GRU", `[B, L, ${hidden}]`, [{ ih: [3 * hidden, size], hh: [3 * hidden, hidden] }], steps),
    row("linear", "Linear", `[B, 1, ${size}]`, [linear(hidden, size)], 1),
  ];
}

/** The encoder of SASRec and BERT4Rec, for `steps` positions. */
function encoderRows(options: SASRecOptions | BERT4RecOptions, steps: number): ModuleRow[] {
  const { size = 64, layers = 2, inner = 256 } = options;
  const shape = `[B, T, ${size}]`;
  const projections = Array.from({ length: 4 }, () => linear(size, size));
  return [
    row("encoder.positions", "LearnedPositions", shape, [{ weight: [steps, size] }], 0),
    norm("encoder.norm", size, "T, "),
    ...Array.from({ length: layers }, (_, i) => [
      // Scores and mixing: all pairs of positions, those that the mask hides included.
      row(`encoder.blocks.${i}.attention`, "MultiHeadAttention", shape, projections, steps, 2 * steps * steps * size),
      norm(`encoder.blocks.${i}.attentionResidual`, size, "T, "),
      row(`encoder.blocks.${i}.feedForward`, "FeedForward", shape, [linear(size, inner), linear(inner, size)], steps),
      norm(`encoder.blocks.${i}.feedForwardResidual`, size, "T, "),
    ]).flat(),
  ];
}

export const sasRecRows = (options: SASRecOptions): ModuleRow[] => [
  tableRow(options.items, options.size ?? 64),
  ...encoderRows(options, options.maxLength ?? 50),
];

export function bert4RecRows(options: BERT4RecOptions): ModuleRow[] {
  const { items, size = 64, maxLength = 50 } = options;
  return [
    tableRow(items + 1, size, items),
    ...encoderRows(options, maxLength + 1),
    row("head", "Linear", `[B, ${size}]`, [linear(size, size)], 1),
    norm("headNorm", size, ""),
    row("bias", "parameter", `[${items}]`, [{ bias: [items] }], 0),
  ];
}

const parametersOf = (rows: readonly ModuleRow[]): number => rows.reduce((sum, { parameters }) => sum + parameters, 0);

/** The published configurations whose parameters the authors' logs count, and what each log says. */
export const published = [
  { name: "Mamba4Rec, ML-1M", rows: mamba4RecRows({ items: 3417, maxLength: 200 }), logged: 290_944 },
  { name: "Mamba4Rec, Beauty", rows: mamba4RecRows({ items: 12_102 }), logged: 846_784 },
  { name: "Mamba4Rec, Beauty, 2 layers", rows: mamba4RecRows({ items: 12_102, layers: 2 }), logged: 918_912 },
  { name: "Mamba4Rec, Video Games", rows: mamba4RecRows({ items: 17_287 }), logged: 1_178_624 },
  { name: "Mamba4Rec, Yelp", rows: mamba4RecRows({ items: 64_210, maxLength: 100 }), logged: 4_181_696 },
  { name: "Mamba4Rec, Sports", rows: mamba4RecRows({ items: 48_567 }), logged: 3_180_544 },
  { name: "Mamba4Rec, Fashion", rows: mamba4RecRows({ items: 19_356 }), logged: 1_311_040 },
  // The log counts two scalars that the code never uses.
  {
    name: "SIGMA as released, Beauty",
    rows: sigmaRows({ items: 12_102, gate: "release" }),
    logged: 904_517,
    unused: 2,
  },
  ...(
    [
      ["Beauty", 12_102, 900_355],
      ["Video Games", 17_287, 1_232_195],
      ["45,908 items", 45_908, 3_063_939],
    ] as const
  ).map(([data, items, logged]) => ({
    name: `SIGMA as released, without projection, ${data}`,
    rows: sigmaRows({ items, gate: "release", projection: false }),
    logged,
  })),
  {
    name: "SIGMA as released, without GRU, ML-1M",
    rows: sigmaRows({ items: 3417, maxLength: 200, gate: "release", featureExtract: "conv" }),
    logged: 324_099,
  },
  { name: "GRU4Rec, Yelp", rows: gru4RecRows({ items: 64_210, maxLength: 100 }), logged: 4_191_424 },
  {
    name: "SASRec, ML-1M with 3,707 items, d = 128",
    rows: sasRecRows({ items: 3707, size: 128, maxLength: 200, inner: 256 }),
    logged: 765_312,
  },
] satisfies readonly { name: string; rows: readonly ModuleRow[]; logged: number; unused?: number }[];

/** The published configurations, after SIGMA with the paper's gate, of which no log tells. */
export function describePublished(): ModelDescription {
  const paper = sigmaRows({ items: 12_102 });
  return {
    models: [
      { name: "SIGMA with the paper's gate, Beauty", note: `${parametersOf(paper)} parameters`, modules: paper },
      ...published.map(({ name, rows, logged }) => ({
        name,
        note: `${parametersOf(rows)} parameters; the authors' log says ${logged}`,
        modules: rows,
      })),
    ],
  };
}
