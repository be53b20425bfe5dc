// From claims and results to verdicts. A claim is judged only when the run is what its rule was written for.
import { messageOf } from "./errors.ts";
import type { Claim, Paper, PaperResult } from "./paper.ts";

export type Verdict = "pass" | "fail" | "report-only" | "not-run";

export interface ClaimOutcome {
  readonly id: string;
  readonly paperSays: string;
  readonly statement: string;
  readonly rule: string;
  readonly kind: Claim["kind"];
  readonly measured: string;
  readonly numbers: Readonly<Record<string, number>>;
  /** Whether the measured numbers satisfy the rule, judged or not; null when unknown. */
  readonly holds: boolean | null;
  readonly verdict: Verdict;
}

/**
 * Evaluates every claim. Gated claims are judged only in a complete run, not in quick mode, with at least the seeds that the mode
 * asks for; else they are reported (quick mode, fewer seeds) or not run (stopped early).
 */
export function judge(paper: Paper, result: PaperResult, complete: boolean): ClaimOutcome[] {
  const judged = complete && result.mode !== "quick" && result.seeds.length >= paper.seeds[result.mode].length;
  return paper.claims.map((claim) => outcome(claim, result, complete, judged));
}

function outcome(claim: Claim, result: PaperResult, complete: boolean, judged: boolean): ClaimOutcome {
  const { id, paperSays, statement, rule, kind } = claim;
  const text = { id, paperSays, statement, rule, kind };
  const evidence = evaluate(claim, result);
  if (evidence === undefined)
    return { ...text, measured: "the trials it needs did not run", numbers: {}, holds: null, verdict: "not-run" };
  const { measured, numbers = {}, holds = null } = evidence;
  if (!complete)
    return { ...text, measured: `on a part of the run: ${measured}`, numbers, holds: null, verdict: "not-run" };
  const verdict = kind === "report-only" || !judged ? "report-only" : holds ? "pass" : "fail";
  return { ...text, measured, numbers, holds, verdict };
}

function evaluate(claim: Claim, result: PaperResult): ReturnType<Claim["evaluate"]> {
  try {
    return claim.evaluate(result);
  } catch (error) {
    throw new Error(`claim ${claim.id} cannot be evaluated: ${messageOf(error)}`, { cause: error });
  }
}
