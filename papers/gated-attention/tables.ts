// Tables: every trial of both tasks, and the paper's mechanism numbers beside ours.

import { bitsPerCharacter } from "../../nn/index.ts";
import type { TableFigure } from "../figures.ts";
import { finished } from "../statistics.ts";
import { backcopy, fixed, language, meanOf, type Result, withError } from "./compare.ts";
import { backcopyTask, middleRate } from "./config.ts";
import { parameterCount } from "./describe.ts";
import { languageModel } from "./language.ts";
import type { VariantName } from "./variants.ts";

const shown = (value: number, digits: number): string => (Number.isFinite(value) ? fixed(value, digits) : "");

export function tables(result: Result): TableFigure[] {
  return [languageTable(result), mechanismTable(result), backcopyTable(result)].filter(({ rows }) => rows.length > 0);
}

function languageTable(result: Result): TableFigure {
  const rows = result.config.language.runs.flatMap(({ arm, lr }) => {
    const of = (name: string) => language(result, arm, lr, name);
    const losses = [...of("validation loss").values()];
    if (losses.length === 0) return [];
    return [
      [
        arm,
        lr,
        parameterCount(languageModel(arm)).toLocaleString("en-US"),
        withError(losses),
        bitsPerCharacter(meanOf(of("validation loss"))).toFixed(2),
        shown(meanOf(of("M-Act")), 1),
        shown(meanOf(of("gate score")), 3),
        losses.map((loss) => fixed(loss)).join(" "),
      ],
    ];
  });
  return {
    kind: "table",
    title: "Task A: results",
    caption: `Loss in nats per character on ${result.config.language.targets.toLocaleString("en-US")} characters: mean ± standard error over the seeds.`,
    columns: ["arm", "lr", "parameters", "validation loss", "bits", "M-Act", "score", "by seed"],
    rows,
  };
}

/** The paper's Table 4: MoE of 15 billion parameters, 400 billion tokens. */
const published: readonly (readonly [VariantName, score: string, mAct: string, fAttn: string, perplexity: string])[] = [
  ["baseline", "", "1053", "0.467", "6.026"],
  ["g1-elementwise", "0.116", "94", "0.048", "5.761"],
  ["g1-headwise", "0.172", "98", "0.073", "5.792"],
  ["g1-shared", "0.271", "286", "0.301", "5.801"],
  ["g2-elementwise", "0.221", "125", "0.297", "5.820"],
  ["g1-const", "0.335", "471", "0.364", "5.917"],
  ["ns-sigmoid", "0.653", "892", "0.451", "5.900"],
];

function mechanismTable(result: Result): TableFigure {
  const rows = published.flatMap(([arm, ...theirs]) => {
    const of = (name: string): number => meanOf(language(result, arm, middleRate, name));
    if (!Number.isFinite(of("validation loss"))) return [];
    const ours = [
      shown(of("gate score"), 3),
      shown(of("M-Act"), 1),
      shown(of("F-Attn, later"), 4),
      shown(Math.exp(of("validation loss")), 2),
    ];
    return [[arm, ...theirs.flatMap((value, i) => [value, ours[i]])]];
  });
  const columns = ["gate score", "M-Act", "F-Attn", "perplexity"].flatMap((name) => [`${name}, paper`, "here"]);
  return {
    kind: "table",
    title: "The paper's mechanism, there and here",
    caption: `Paper: its Table 4, 15-billion-parameter models of words, 400 billion tokens. Here: task A, lr ${middleRate}, a model of characters; F-Attn without the first queries. Only the order within a column can be compared.`,
    columns: ["arm", ...columns],
    rows,
  };
}

function backcopyTable(result: Result): TableFigure {
  const columns = [
    "validation loss",
    "entropy",
    "gate, triggers",
    "gate, others",
    "value drain",
    "F-Attn, others",
    "gate-weighted F-Attn",
  ];
  const rows = result.config.backcopy.arms
    .filter((arm) => finished(result, backcopyTask, arm).length > 0)
    .map((arm) => [
      arm,
      ...columns.map((name) => [...backcopy(result, arm, name).values()].map((value) => fixed(value)).join(" ")),
    ]);
  return {
    kind: "table",
    title: "Task B: results",
    caption: "By seed. The entropy is the lowest loss that is possible on the same sequences.",
    columns: ["arm", ...columns],
    rows,
  };
}
