// The report's style sheet: one column, system fonts, light and dark.
import { Html } from "./html.ts";

export const style = new Html(`
:root {
  color-scheme: light dark;
  --page: #f7f7f5; --card: #ffffff; --text: #1c1e21; --muted: #6a7078; --line: #e3e4e1; --grid: #ececea; --empty-cell: #f0f0ee;
  --accent: #2563c9; --pass: #157347; --fail: #b3261e; --neutral: #5b6470;
  --series-0: #2f6fde; --series-1: #e07b1a; --series-2: #229a6b; --series-3: #c43d6b;
  --series-4: #7a55c7; --series-5: #11929e; --series-6: #8f6b46; --series-7: #7d848c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131518; --card: #1b1e22; --text: #e7e9eb; --muted: #98a0a9; --line: #2d3238; --grid: #282c32; --empty-cell: #24282d;
    --accent: #79aaff; --pass: #5bd39a; --fail: #ff8a80; --neutral: #a9b2bc;
    --series-0: #6ea3ff; --series-1: #ffa657; --series-2: #4fcf9b; --series-3: #f2789f;
    --series-4: #b495ff; --series-5: #45c9d6; --series-6: #c79f76; --series-7: #9aa2ab;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); -webkit-text-size-adjust: 100%;
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 880px; margin: 0 auto; padding: 48px 24px 72px; }
a { color: var(--accent); text-underline-offset: 2px; }
h1 { font-size: 27px; line-height: 1.22; letter-spacing: -0.015em; margin: 6px 0 8px; text-wrap: balance; }
h2 { font-size: 18px; letter-spacing: -0.005em; margin: 44px 0 12px; }
h3 { font-size: 15px; margin: 0 0 10px; }
p { margin: 0 0 10px; }
.kicker { color: var(--accent); font-weight: 600; font-size: 13px; }
.muted, figcaption, .cite { color: var(--muted); }
.cite { font-size: 14px; }
.lead { margin-top: 16px; max-width: 44em; }
.facts { display: flex; flex-wrap: wrap; gap: 1px; margin: 24px 0 0; border: 1px solid var(--line);
  border-radius: 10px; overflow: hidden; background: var(--line); }
.facts div { flex: 1 1 auto; min-width: 128px; background: var(--card); padding: 11px 16px 12px; }
.facts dt { color: var(--muted); font-size: 12.5px; }
.facts dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
.notice { border-left: 3px solid var(--fail); background: var(--card); padding: 10px 16px; margin: 20px 0 0; border-radius: 0 8px 8px 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; line-height: 1.45; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; font-size: 12.5px; color: var(--muted); }
th, td { padding: 9px 14px; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child > td, tr:last-child > th[scope="row"] { border-bottom: 0; }
.number { text-align: right; }
figure { margin: 0 0 18px; padding: 18px 20px 16px; }
figure svg { display: block; max-width: 100%; height: auto; color: var(--text); --plot-background: var(--card); margin: 0 auto; }
figcaption { font-size: 13.5px; margin-top: 12px; max-width: 50em; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; margin: 0 0 8px; color: var(--muted); align-items: center; }
.panels + .legend { margin: 12px 0 0; }
.key { display: inline-flex; align-items: center; gap: 7px; }
.key i { width: 14px; height: 4px; border-radius: 2px; flex: none; }
.key i.ramp { width: 90px; height: 9px; background: linear-gradient(90deg, var(--empty-cell), var(--series-0)); }
.key i.ramp.signed { background: linear-gradient(90deg, var(--series-1), var(--empty-cell), var(--series-0)); }
.panels { display: flex; flex-wrap: wrap; gap: 14px 10px; }
.panel-title { font-size: 12.5px; color: var(--muted); text-align: center; margin-bottom: 2px; font-variant-numeric: tabular-nums; }
.panel.tree { flex: 1 1 340px; min-width: 0; }
.panel:only-child { flex: 1; }
.badge { display: inline-block; white-space: nowrap; font-size: 12.5px; font-weight: 600; line-height: 1; padding: 5px 9px; border-radius: 99px;
  color: var(--tone); background: color-mix(in srgb, var(--tone) 13%, transparent); }
.badge.pass { --tone: var(--pass); } .badge.fail { --tone: var(--fail); } .badge.report-only, .badge.not-run { --tone: var(--neutral); }
.claims td { padding-top: 13px; padding-bottom: 13px; }
.claims .id { font-weight: 600; white-space: nowrap; padding-right: 2px; }
.claims .says { font-weight: 600; margin: 0 0 3px; }
.claims .rule { color: var(--muted); font-size: 13px; margin: 4px 0 0; }
.claims .verdict { text-align: right; padding-left: 4px; }
.claims p { margin: 0; }
code, pre { font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
pre { margin: 0; padding: 12px 16px; overflow-x: auto; }
details { margin-top: 12px; }
summary { cursor: pointer; padding: 10px 16px; font-weight: 500; }
.pairs th { width: 13em; font-size: 13.5px; }
footer { color: var(--muted); font-size: 13px; margin-top: 48px; }
@media (max-width: 640px) {
  main { padding: 28px 14px 48px; }
  .claims thead { display: none; }
  .claims tr { display: grid; grid-template-columns: auto 1fr auto; border-bottom: 1px solid var(--line); }
  .claims td { border: 0; } .claims .measured { grid-column: 1 / -1; grid-row: 2; padding-top: 0; }
}
@media print { body { background: none; } figure, tr { break-inside: avoid; } }
`);
