// The report: every kind of figure is drawn, nothing is fetched, text is escaped, JSON survives.
import fc from "fast-check";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import type { Figure } from "../../papers/figures.ts";
import { environment } from "../../papers/report/environment.ts";
import { html } from "../../papers/report/html.ts";
import { renderPage } from "../../papers/report/page.ts";
import { drawFigure } from "../../papers/report/plots/index.ts";
import { summarise } from "../../papers/report/plots/lines.ts";
import { logTicks } from "../../papers/report/plots/plot.ts";
import { resultFile, stringifyResult } from "../../papers/report/result.ts";
import { runPaper } from "../../papers/runner.ts";
import { fakePaper } from "./fake.ts";

const run = await runPaper(fakePaper, {
  mode: "default",
  backend: "wasm",
  signal: new AbortController().signal,
  onProgress: () => {},
  log: () => {},
});
const result = resultFile(run, environment());
const figures = fakePaper.figures(run.result as Parameters<typeof fakePaper.figures>[0]);
const text = renderPage(fakePaper, result, figures, "npm run reproduce -- fake");
const { document } = parseHTML(text);

describe("report.html", () => {
  it("draws every figure, with its title and caption", () => {
    const drawn = [...document.querySelectorAll("figure")];
    expect(drawn.map((figure) => figure.querySelector("h3")?.textContent)).toEqual(
      figures.map((figure) => figure.title),
    );
    for (const [i, figure] of figures.entries()) {
      expect(drawn[i].querySelector("figcaption")?.textContent).toBe(figure.caption);
      expect(drawn[i].querySelectorAll(figure.kind === "table" ? "table" : "svg").length).toBeGreaterThan(0);
    }
    expect(text).not.toMatch(/NaN|undefined/);
  });

  it("asks for nothing from outside and runs no script", () => {
    expect(document.querySelectorAll("script, img, iframe, object, embed")).toHaveLength(0);
    for (const link of document.querySelectorAll("link")) expect(link.getAttribute("href")).toBe("data:,");
    expect(text).not.toMatch(/@import|url\(\s*["']?(https?:)?\/\//);
  });

  it("shows a verdict for each claim and the substitutes of data", () => {
    expect([...document.querySelectorAll(".badge")].map((badge) => badge.textContent)).toEqual([
      "pass",
      "fail",
      "report only",
      "not run",
    ]);
    expect(text).toContain("A substitute for the paper&#39;s 100,000 overlaid pairs.");
    expect(text).toContain("random &lt;hash&gt; gates");
  });
});

describe("result.json", () => {
  it("is the same value however it is laid out", () => {
    expect(JSON.parse(stringifyResult(result))).toEqual(JSON.parse(JSON.stringify(result)));
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (value, error) => {
        const odd = { ...result, error, config: { value, text: "[\n 1,\n 2\n]" } };
        expect(JSON.parse(stringifyResult(odd))).toEqual(JSON.parse(JSON.stringify(odd)));
      }),
    );
  });

  it("puts a series on one line", () => {
    expect(stringifyResult(result)).toMatch(/"steps": \[1, 2, 3, .*, 150\]/);
  });
});

describe("figures at their limits", () => {
  const text = { title: "t", caption: "c" };
  const axes = { ...text, x: "x", y: "y" };

  it.each<Figure>([
    { kind: "lines", ...axes, lines: [] },
    { kind: "lines", ...axes, lines: [{ label: "a", seeds: [[]] }] },
    { kind: "bars", ...axes, bars: [] },
    { kind: "heatmap", ...text, rows: "r", columns: "c", panels: [] },
    { kind: "tree", ...text, trees: [] },
    { kind: "scatter", ...axes, points: [] },
    { kind: "table", ...text, columns: ["a"], rows: [] },
  ])("says that $kind has no data", (figure) => {
    expect(drawFigure(figure).text).toContain("Nothing was measured");
  });

  it.each<Figure>([
    { kind: "lines", ...axes, lines: [{ label: "a", seeds: [[{ x: 1, y: 1 }]] }] },
    { kind: "lines", ...axes, yScale: "log", lines: [{ label: "a", seeds: [[{ x: 1, y: 1 }], [{ x: 2, y: 0.5 }]] }] },
    { kind: "lines", ...axes, xScale: "log", yScale: "log", lines: [{ label: "a", seeds: [[{ x: 50, y: 2 }]] }] },
    { kind: "bars", ...axes, bars: [{ label: "a", value: 0 }] },
    { kind: "heatmap", ...text, rows: "r", columns: "c", panels: [{ title: "zero", values: [[0]] }] },
    { kind: "heatmap", ...text, rows: "r", columns: "c", panels: [{ title: "signed", values: [[-1, 2, 0]] }] },
    { kind: "tree", ...text, trees: [{ title: "one leaf", root: { label: "only", share: 1 } }] },
    { kind: "scatter", ...axes, diagonal: true, points: [{ x: 1, y: 1, series: "s" }] },
  ])("draws $kind with a single value", (figure) => {
    expect(drawFigure(figure).text).toMatch(/<svg/);
    expect(drawFigure(figure).text).not.toMatch(/NaN|Infinity|undefined/);
  });
});

it("draws a power as a straight line on logarithmic axes", () => {
  const points = [1, 10, 100].map((x) => ({ x, y: x ** 2 }));
  const drawn = drawFigure({
    kind: "lines",
    title: "t",
    caption: "c",
    x: "x",
    y: "y",
    xScale: "log",
    yScale: "log",
    lines: [{ label: "a", seeds: [points] }],
  });
  const path = /<path[^>]*d="M([^"]*)"/.exec(drawn.text)?.[1] ?? "";
  const [first, middle, last] = path.split("L").map((pair) => pair.split(",").map(Number));
  expect(middle[0]).toBeCloseTo((first[0] + last[0]) / 2, 1);
  expect(middle[1]).toBeCloseTo((first[1] + last[1]) / 2, 1);
});

describe("pieces", () => {
  it("escapes any text", () => {
    fc.assert(fc.property(fc.string(), (value) => !/[<>"']/.test(html`${value}`.text)));
    expect(html`<p>${["a", html`<b>${"<"}</b>`, null, 1]}</p>`.text).toBe("<p>a<b>&lt;</b>1</p>");
  });

  it("averages only seeds that share their x", () => {
    const a = [
      { x: 1, y: 2 },
      { x: 2, y: 4 },
    ];
    const b = [
      { x: 1, y: 4 },
      { x: 2, y: 0 },
    ];
    expect(summarise({ label: "l", seeds: [a, b] })).toEqual([
      { arm: "l", x: 1, y: 3, low: 2, high: 4 },
      { arm: "l", x: 2, y: 2, low: 0, high: 4 },
    ]);
    expect(summarise({ label: "l", seeds: [a, b.slice(1)] })).toEqual([]);
  });

  it("places logarithmic ticks", () => {
    expect(logTicks(0.1, 3)).toEqual([0.1, 0.2, 0.5, 1, 2]);
    expect(logTicks(1e-4, 5)).toEqual([1e-4, 1e-3, 1e-2, 0.1, 1]);
  });
});
