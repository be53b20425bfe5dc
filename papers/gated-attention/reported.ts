// Claims that this scale cannot show, or need not show: measured and reported, never judged.

import type { Claim, Evidence } from "../paper.ts";
import { mean } from "../statistics.ts";
import { backcopy, bestRate, fixed, language, meanOf, minus, pairs, type Result, withError } from "./compare.ts";
import { type GatedAttentionPaperConfig, highRate, languageTask, middleRate } from "./config.ts";
import { uniformFloor } from "./diagnostics.ts";
import type { VariantName } from "./variants.ts";

function sinks(result: Result): Evidence | undefined {
  const { length, firstQuery } = result.config.language;
  const text = (arm: VariantName): number => meanOf(language(result, arm, middleRate, "F-Attn, later"));
  const copying = (arm: VariantName): number => meanOf(backcopy(result, arm, "F-Attn, others"));
  const [baseline, gated] = [text("baseline"), text("g1-elementwise")];
  if (![baseline, gated].every(Number.isFinite)) return undefined;
  const [plain, headwise] = [copying("baseline"), copying("g1-headwise")];
  return {
    measured:
      `licence text: ${fixed(baseline)} without, ${fixed(gated)} with the gate, uniform attention ` +
      `${fixed(uniformFloor(length, firstQuery))}; backcopy: ${fixed(plain, 2)} without, ${fixed(headwise, 2)} with a headwise gate`,
    numbers: { baseline, gated, backcopy: plain, backcopyHeadwise: headwise },
  };
}

const positions: readonly VariantName[] = [
  "g1-elementwise",
  "g2-elementwise",
  "g3-elementwise",
  "g4-elementwise",
  "g5-elementwise",
];

/** Gains over the baseline at the middle learning rate, of the seeds that both have. */
function gains(arms: readonly VariantName[]) {
  return (result: Result): Evidence | undefined => {
    const of = (arm: VariantName) => language(result, arm, middleRate, "validation loss");
    const found = arms.flatMap((arm) => {
      const differences = pairs(of("baseline"), of(arm), minus);
      return differences.length === 0 ? [] : [{ arm, differences }];
    });
    if (found.length < 2 && arms.length > 1) return undefined;
    if (found.length === 0) return undefined;
    return {
      measured: found.map(({ arm, differences }) => `${arm} ${withError(differences)}`).join("; "),
      numbers: Object.fromEntries(found.map(({ arm, differences }) => [arm, mean(differences)])),
    };
  };
}

function lossJumps(result: Result): Evidence | undefined {
  const of = (arm: VariantName): number[] => [...language(result, arm, highRate, "loss jumps").values()];
  const [baseline, gated] = [of("baseline"), of("g1-elementwise")];
  if (baseline.length === 0 || gated.length === 0) return undefined;
  const sandwich = of("sandwich");
  return {
    measured: `per run: baseline ${baseline.join(", ")}; gate ${gated.join(", ")}${
      sandwich.length === 0 ? "" : `; sandwich ${sandwich.join(", ")}`
    }`,
    numbers: { baseline: mean(baseline), gated: mean(gated) },
  };
}

function extension(result: Result): Evidence | undefined {
  const { arms, factors } = result.config.language.extension;
  const texts: string[] = [];
  const numbers: Record<string, number> = {};
  for (const arm of arms) {
    const best = bestRate(result, arm);
    if (best === undefined) continue;
    const parts = factors.flatMap((factor) =>
      (["plain", "YaRN"] as const).flatMap((how) => {
        const longer = language(result, arm, best.lr, `loss at ${factor}x, ${how}`);
        const more = pairs(longer, best.losses, minus);
        if (more.length === 0) return [];
        numbers[`${arm} ${factor}x ${how}`] = mean(more);
        return [`${factor}x ${how} ${mean(more) < 0 ? "" : "+"}${withError(more)}`];
      }),
    );
    if (parts.length > 0) texts.push(`${arm} (lr ${best.lr}): ${parts.join(", ")}`);
  }
  return texts.length === 0 ? undefined : { measured: texts.join("; "), numbers };
}

export const reported: readonly Claim<GatedAttentionPaperConfig>[] = [
  {
    id: "R1",
    paperSays: "The attention sink disappears: the first token's share falls from 46.7 % to 4.8 %",
    statement: `F-Attn of queries from 8 on: ${languageTask(middleRate)}; and at backcopy's queries that are no triggers`,
    rule: "reported only: models this small, trained this briefly, have no sink on text; on backcopy a closed gate leaves attention without a gradient",
    kind: "report-only",
    evaluate: sinks,
  },
  {
    id: "R2",
    paperSays: "Position matters: G1 and G2 are best, after the output projection (G5) a gate does nothing",
    statement: `Validation loss of the baseline minus that of each position, by seed, lr ${middleRate}`,
    rule: "reported only: at this scale any gate may help",
    kind: "report-only",
    evaluate: gains(positions),
  },
  {
    id: "R3",
    paperSays: "A non-linearity alone (RMSNorm of each head's output) gets most of the gain",
    statement: `Validation loss of the baseline minus that of the controls, by seed, lr ${middleRate}`,
    rule: "reported only: one learning rate",
    kind: "report-only",
    evaluate: gains(["g1-rmsnorm", "g1-const", "g1-additive-silu", "g1-shared", "g1-headwise"]),
  },
  {
    id: "R4",
    paperSays: "Loss spikes nearly vanish",
    statement: `Steps from 101 on whose loss is more than 0.2 above the smoothed loss (0.9) before them, lr ${highRate}`,
    rule: "reported only: 500 steps of small batches, whose losses differ by as much by themselves",
    kind: "report-only",
    evaluate: lossJumps,
  },
  {
    id: "R5",
    paperSays: "Quality falls less when the context is extended",
    statement:
      "Loss on longer windows of the same text minus that at the trained length, plain RoPE and YaRN, no training, each arm at its best learning rate",
    rule: "reported only: exploratory",
    kind: "report-only",
    evaluate: extension,
  },
];
