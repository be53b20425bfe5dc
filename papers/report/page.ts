// The report as one HTML page that needs nothing else: no script, no request.
import type { ClaimOutcome, Verdict } from "../claims.ts";
import type { Figure } from "../figures.ts";
import type { Paper, TrialRecord } from "../paper.ts";
import { duration } from "../progress.ts";
import { type Html, html } from "./html.ts";
import { drawFigure } from "./plots/index.ts";
import type { ResultFile } from "./result.ts";
import { style } from "./style.ts";

const VERDICTS: Readonly<Record<Verdict, string>> = {
  pass: "pass",
  fail: "fail",
  "report-only": "report only",
  "not-run": "not run",
};

/** Draws the page of a run. `command` is the line that repeats it. */
export function renderPage(paper: Paper, result: ResultFile, figures: readonly Figure[], command: string): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${paper.title}: a reproduction with Sluice</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
${header(paper, result)}
<h2>Claims</h2>
${claimsTable(result.claims)}
${figures.length > 0 ? html`<h2>Figures</h2>${figures.map(figureCard)}` : null}
<h2>How it was run</h2>
${howItRan(result, command)}
<h2>Data</h2>
${dataTable(paper)}
<footer>Sluice ${result.environment.sluice}. Every number above is in result.json, beside this page.</footer>
</main>
</body>
</html>
`;
  return page.text;
}

function header(paper: Paper, result: ResultFile): Html {
  const { authors, venue, year, url } = paper.citation;
  const judged = result.claims.filter(({ verdict }) => verdict === "pass" || verdict === "fail");
  const passed = judged.filter(({ verdict }) => verdict === "pass").length;
  const facts: [string, string][] = [
    ["Claims that hold", judged.length === 0 ? "none judged" : `${passed} of ${judged.length}`],
    ["Mode", result.mode],
    ["Seeds", seedRange(result.seeds)],
    ["Backend", result.backend],
    ["Time", duration(result.seconds)],
  ];
  return html`<header>
<div class="kicker">A reproduction with Sluice</div>
<h1>${paper.title}</h1>
<div class="cite">${authors}. ${venue}, ${year}.${url === undefined ? null : html` <a href="${url}">${url.replace(/^https?:\/\//, "")}</a>`}</div>
<p class="lead">${paper.summary}</p>
${notice(result)}
<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
</header>`;
}

/** "5 (10 to 14)" for seeds in a row, else the list. */
function seedRange(seeds: readonly number[]): string {
  const inARow = seeds.length > 2 && seeds.every((seed, i) => seed === seeds[0] + i);
  return inARow ? `${seeds.length} (${seeds[0]} to ${seeds[seeds.length - 1]})` : seeds.join(", ");
}

function notice(result: ResultFile): Html | null {
  if (result.status === "interrupted")
    return html`<p class="notice"><b>This run was interrupted.</b> What had finished is shown; no claim is judged.</p>`;
  if (result.status === "failed")
    return html`<p class="notice"><b>This run failed:</b> ${result.error}. What had finished is shown; no claim is judged.</p>`;
  return result.mode === "quick"
    ? html`<p class="muted">Quick mode shows that everything runs: claims are measured on a short run, never judged.</p>`
    : null;
}

function claimsTable(claims: readonly ClaimOutcome[]): Html {
  const row = (claim: ClaimOutcome): Html => html`<tr>
<td class="id">${claim.id}</td>
<td><p class="says">${claim.paperSays}</p><p>${claim.statement}</p><p class="rule">Rule: ${claim.rule}</p></td>
<td class="measured">${claim.measured}${judgedNote(claim)}</td>
<td class="verdict"><span class="badge ${claim.verdict}">${VERDICTS[claim.verdict]}</span></td>
</tr>`;
  return html`<div class="card scroll"><table class="claims">
<thead><tr><th></th><th>The paper's claim, and what was measured for it</th><th>Measured</th><th></th></tr></thead>
<tbody>${claims.map(row)}</tbody></table></div>`;
}

/** For a gated claim that isn't judged in this run, whether its rule would have held. */
function judgedNote(claim: ClaimOutcome): Html | null {
  if (claim.verdict !== "report-only" || claim.holds === null || claim.kind === "report-only") return null;
  return html`<p class="rule">${claim.holds ? "The rule holds on these numbers" : "The rule doesn't hold on these numbers"}; not judged in this run.</p>`;
}

function figureCard(figure: Figure): Html {
  return html`<figure class="card"><h3>${figure.title}</h3>${drawFigure(figure)}<figcaption>${figure.caption}</figcaption></figure>`;
}

function pairs(rows: readonly (readonly [string, string | Html])[]): Html {
  const lines = rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`);
  return html`<table class="pairs"><tbody>${lines}</tbody></table>`;
}

function howItRan(result: ResultFile, command: string): Html {
  const { environment: machine } = result;
  const rows: [string, string | Html][] = [
    ["Command", html`<code>${command}</code>`],
    ["Started", result.startedAt.replace("T", " ").replace(/\.\d+Z$/, " UTC")],
    ["Sluice", machine.commit === null ? machine.sluice : `${machine.sluice}, commit ${machine.commit}`],
    ["Machine", `${machine.cpu}, ${machine.cores} cores`],
    ["Node", `${machine.node}, ${machine.platform}`],
  ];
  const settings = Object.entries(result.config).map(([name, value]): [string, string] => [
    name,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return html`<div class="card scroll">${pairs(rows)}</div>
<details class="card"><summary>Configuration (${settings.length} settings)</summary><div class="scroll">${pairs(settings)}</div></details>
<details class="card"><summary>Trials (${result.trials.length})</summary><div class="scroll">${trialsTable(result.trials)}</div></details>`;
}

function trialsTable(trials: readonly TrialRecord[]): Html {
  const row = (trial: TrialRecord): Html => {
    const scalars = Object.entries(trial.scalars).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
    return html`<tr><td>${trial.task}</td><td>${trial.arm}</td><td class="number">${trial.seed}</td><td>${trial.status}</td>
<td class="number">${trial.seconds.toFixed(2)}</td><td>${scalars.join(", ")}</td></tr>`;
  };
  return html`<table>
<thead><tr><th>Task</th><th>Arm</th><th class="number">Seed</th><th>Status</th><th class="number">Seconds</th><th>Measured</th></tr></thead>
<tbody>${trials.map(row)}</tbody></table>`;
}

function dataTable(paper: Paper): Html {
  const rows = paper.data.map(({ name, detail, substituteFor }): [string, Html] => [
    name,
    html`${detail}${substituteFor === undefined ? null : html`<p class="rule muted">A substitute for ${substituteFor}.</p>`}`,
  ]);
  return html`<div class="card scroll">${pairs(rows)}</div>`;
}
