// A paper without an engine: smooth made-up curves, and every kind of figure.
import { setTimeout } from "node:timers/promises";
import { curves } from "../../papers/curves.ts";
import { NonFiniteError } from "../../papers/errors.ts";
import type { Figure, TreeNode } from "../../papers/figures.ts";
import type { Claim, Paper, PaperResult } from "../../papers/paper.ts";
import { mean, paired, scalars } from "../../papers/statistics.ts";

export interface FakeConfig {
  readonly arms: readonly string[];
  readonly steps: number;
  readonly learningRate: number;
  /** Milliseconds that a step takes. */
  readonly pause: number;
  /** The step at which the second arm's loss is NaN. */
  readonly divergeAt?: number;
}

const arms = ["comet", "top-k", "hash"];
const config: FakeConfig = { arms, steps: 150, learningRate: 3e-3, pause: 0 };

/** A number in 0..1 that depends on its arguments only. */
function noise(...keys: readonly number[]): number {
  const x = Math.sin(keys.reduce((sum, key, i) => sum + key * (12.9898 + 65.1 * i), 0.5)) * 43758.5453;
  return x - Math.floor(x);
}

const claims: readonly Claim<FakeConfig>[] = [
  {
    id: "C1",
    paperSays: "Tree gates beat top-k gates",
    statement: "Validation loss of top-k minus that of comet, by seed",
    rule: "the mean difference is above one standard error, and comet is better in at least half of the seeds",
    kind: "gated",
    evaluate(result) {
      const d = paired(result, "task A", "top-k", "comet", "loss");
      if (d === undefined) return undefined;
      return {
        measured: `difference ${d.mean.toFixed(3)} ± ${d.standardError.toFixed(3)}; better in ${d.positive} of ${d.differences.length}`,
        numbers: { difference: d.mean, standardError: d.standardError },
        holds: d.mean > d.standardError && d.positive * 2 >= d.differences.length,
      };
    },
  },
  {
    id: "C2",
    paperSays: "Learned gates beat random <hash> gates by far",
    statement: "Loss of hash divided by that of comet",
    rule: "above 100 on average",
    kind: "gated",
    evaluate(result) {
      const hash = scalars(result, "task A", "hash", "loss");
      const comet = scalars(result, "task A", "comet", "loss");
      if (hash.length === 0 || comet.length === 0) return undefined;
      const ratio = mean(hash) / mean(comet);
      return { measured: `ratio ${ratio.toFixed(2)}`, numbers: { ratio }, holds: ratio > 100 };
    },
  },
  {
    id: "C3",
    paperSays: "Local search needs up to 100x fewer tuning trials",
    statement: "Best loss of m trials, with and without the search",
    rule: "reported only: the paper's gain is over hundreds of tuned trials",
    kind: "report-only",
    evaluate: () => ({ measured: "no difference seen" }),
  },
  {
    id: "C4",
    paperSays: "The gate works on MovieLens",
    statement: "Area under the curve on MovieLens",
    rule: "above 0.8",
    kind: "gated",
    evaluate: () => undefined,
  },
];

function permutation(size: number, sharpness: number, seed: number): number[][] {
  return Array.from({ length: size }, (_, r) => {
    const row = Array.from({ length: size }, (_, c) =>
      Math.exp(sharpness * ((c === (r * 3 + 1) % size ? 1 : 0) + 0.3 * noise(r, c, seed))),
    );
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((value) => value / sum);
  });
}

function tree(depth: number, share: number, index: number): TreeNode {
  if (depth === 0) return { label: `expert ${index}`, share };
  const left = share === 0 ? 0 : index === 3 ? 1 : 0.15 + 0.7 * noise(depth, index);
  return {
    label: `node ${depth}.${index}`,
    share,
    children: [tree(depth - 1, share * left, index * 2), tree(depth - 1, share * (1 - left), index * 2 + 1)],
  };
}

function figures(result: PaperResult<FakeConfig>): Figure[] {
  const used = result.config.arms;
  return [
    {
      kind: "lines",
      title: "Training loss",
      caption: "Squared error of each batch. Thin lines are seeds, thick lines their mean.",
      x: "step",
      y: "loss",
      yScale: "log",
      lines: curves(result, "task A", used, "loss"),
      marks: [{ label: "noise floor", y: 0.1 }],
    },
    {
      kind: "lines",
      title: "Experts in use",
      caption:
        "The mean number of experts with a weight above 1e-5. The band reaches from the lowest seed to the highest.",
      x: "step",
      y: "experts per sample",
      spread: "band",
      lines: curves(result, "task A", used, "support"),
    },
    {
      kind: "bars",
      title: "Expert usage",
      caption: "The share of validation samples that reach each expert.",
      x: "expert",
      y: "share of samples",
      bars: [0, 1, 2, 3, 4, 5, 6, 7].flatMap((expert) =>
        used
          .slice(0, 2)
          .map((arm, i) => ({ label: String(expert), series: arm, value: 0.05 + 0.2 * noise(expert, i) })),
      ),
      marks: [{ label: "balanced", y: 0.125 }],
    },
    {
      kind: "bars",
      title: "Final loss",
      caption: "Mean over the seeds; whiskers are one standard error.",
      x: "gate",
      y: "validation loss",
      bars: used.map((arm, i) => ({ label: arm, value: 0.11 + 0.1 * i, error: 0.012 + 0.01 * i })),
    },
    {
      kind: "heatmap",
      title: "The permutation matrix over time",
      caption: "Snapshots while the local search runs: from uniform to a permutation.",
      rows: "leaf",
      columns: "expert",
      max: 1,
      panels: [0, 1, 2, 4, 8].map((s) => ({ title: `step ${s * 30}`, values: permutation(8, s * 1.6, s) })),
    },
    {
      kind: "tree",
      title: "Where samples go",
      caption: "An edge is as wide as the share of validation samples that takes it. Dashed edges carry none.",
      trees: [{ title: "tree 1", root: tree(3, 1, 0) }],
    },
    {
      kind: "tree",
      title: "Two trees",
      caption: "Each tree picks one expert.",
      trees: [
        { title: "tree 1", root: tree(2, 1, 1) },
        { title: "tree 2", root: tree(2, 1, 3) },
      ],
    },
    {
      kind: "scatter",
      title: "Paired losses",
      caption: "One point a seed: below the line, comet is better.",
      x: "top-k",
      y: "comet",
      diagonal: true,
      points: result.seeds.map((seed) => ({
        x: 0.12 + 0.05 * noise(seed, 1),
        y: 0.1 + 0.05 * noise(seed, 2),
        series: "task A",
        label: `seed ${seed}`,
      })),
    },
    {
      kind: "table",
      title: "All settings tried",
      caption: "Losses of two seeds.",
      columns: ["gamma", "lambda", "loss", "note"],
      rows: [
        [0.1, 0.03, 0.112, "chosen"],
        [1, 0.3, 0.188, "too much entropy"],
      ],
    },
  ];
}

export const fakePaper: Paper<FakeConfig> = {
  name: "fake",
  title: "FAKE: learning nothing with trees & local search",
  citation: {
    authors: "A. Author, B. Author",
    venue: "Journal of Examples",
    year: 2024,
    url: "https://example.org/fake",
  },
  summary:
    "A made-up paper that exercises the runner. Its curves are drawn from a formula, so that every figure has data.",
  data: [
    { name: "Pairs of basis experts", detail: "synthetic: 8 clusters, fresh samples at every step" },
    { name: "Small MultiMNIST", detail: "6,000 pairs of digits", substituteFor: "the paper's 100,000 overlaid pairs" },
  ],
  configs: { quick: { ...config, steps: 60 }, default: config, full: { ...config, steps: 400 } },
  seeds: { quick: [10, 11], default: [10, 11, 12, 13, 14], full: [10, 11, 12, 13, 14] },
  claims,
  plan: (settings, seeds) =>
    seeds.flatMap((seed) => settings.arms.map((arm) => ({ task: "task A", arm, seed, steps: settings.steps }))),
  async run(trial, { config: settings }) {
    const arm = settings.arms.indexOf(trial.arm);
    for (let step = 1; step <= trial.steps; step++) {
      if (arm === 1 && step === settings.divergeAt) throw new NonFiniteError("experts.0.weight", Number.NaN, step);
      if (settings.pause > 0) await setTimeout(settings.pause);
      const decay = Math.exp(-step / (30 + 12 * arm));
      const loss = 0.11 + 0.04 * arm + 1.5 * decay + 0.05 * noise(step, arm, trial.seed);
      await trial.step(step, { loss, support: 2 + 6 * decay * decay + 0.3 * noise(step >> 3, arm, trial.seed) });
    }
    trial.scalar("loss", 0.11 + 0.04 * arm + 0.03 * noise(arm, trial.seed));
    trial.keep("usage", [0.5, 0.25, 0.25]);
  },
  figures,
  describe: () => ({
    models: [
      {
        name: "comet",
        note: "8 experts, k = 2",
        modules: [
          { name: "gate", type: "COMETGate", shape: "[B, 24] -> [B, 8]", parameters: 750, multiplyAdds: 720 },
          { name: "experts", type: "Experts", shape: "[B, 24] -> [B, 8]", parameters: 8512, multiplyAdds: 8192 },
        ],
      },
    ],
  }),
};

/** The fake paper with other settings in every mode. */
export function fakeWith(settings: Partial<FakeConfig>): Paper<FakeConfig> {
  const patched = { ...config, ...settings };
  return { ...fakePaper, configs: { quick: patched, default: patched, full: patched } };
}
