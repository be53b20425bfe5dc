// Trees: nodes laid out by d3, edges as wide as the share of samples that takes them.
import { type HierarchyPointLink, type HierarchyPointNode, hierarchy, tree } from "d3-hierarchy";
import type { TreeFigure, TreeNode } from "../../figures.ts";
import { type Html, html } from "../html.ts";
import { draw, Plot, WIDTH } from "./plot.ts";

type Node = HierarchyPointNode<TreeNode>;
type Edge = HierarchyPointLink<TreeNode>;

const LEVEL_HEIGHT = 74;
const WIDEST_EDGE = 14;
/** How much further apart cousins stand than siblings. */
const COUSINS = 1.15;

export function drawTree(figure: TreeFigure): Html {
  const single = figure.trees.length === 1;
  const panels = figure.trees.map(({ title, root }) => {
    const plot = drawOne(`${figure.title}: ${title}`, root, single ? WIDTH : WIDTH / 2 - 10);
    return html`<div class="panel ${single ? "" : "tree"}">${single ? "" : html`<div class="panel-title">${title}</div>`}${plot}</div>`;
  });
  return html`<div class="panels">${panels}</div>`;
}

function drawOne(label: string, root: TreeNode, width: number): Html {
  const layout = tree<TreeNode>().separation((a, b) => (a.parent === b.parent ? 1 : COUSINS))(hierarchy(root));
  const nodes = layout.descendants();
  const edges = layout.links();
  const inner = nodes.filter((node) => node.children !== undefined);
  const leaves = nodes.filter((node) => node.children === undefined);
  const used = (edge: Edge): boolean => edge.target.data.share > 0;
  const ends = {
    x1: (edge: Edge) => edge.source.x,
    y1: (edge: Edge) => edge.source.y,
    x2: (edge: Edge) => edge.target.x,
    y2: (edge: Edge) => edge.target.y,
    curve: "bump-y",
  } as const;
  const at = { x: (node: Node) => node.x, y: (node: Node) => node.y };

  return draw(label, {
    width,
    height: (layout.height + 0.5) * LEVEL_HEIGHT + 40,
    margin: 40,
    marginTop: 26,
    marginBottom: 34,
    axis: null,
    x: { domain: [Math.min(...nodes.map(at.x)), Math.max(...nodes.map(at.x))] },
    y: { domain: [1, 0] },
    length: { type: "identity" },
    marks: [
      Plot.link(
        edges.filter((edge) => !used(edge)),
        { ...ends, stroke: "var(--muted)", strokeOpacity: 0.6, strokeDasharray: "3 4" },
      ),
      Plot.link(edges.filter(used), {
        ...ends,
        stroke: "var(--series-0)",
        strokeOpacity: 0.55,
        strokeWidth: (edge: Edge) => 1 + (WIDEST_EDGE - 1) * edge.target.data.share,
        strokeLinecap: "butt",
      }),
      Plot.text(edges, {
        x: (edge: Edge) => edge.source.x + (edge.target.x - edge.source.x) * 0.62,
        y: (edge: Edge) => edge.source.y + (edge.target.y - edge.source.y) * 0.56,
        text: (edge: Edge) => percent(edge.target.data.share),
        fill: (edge: Edge) => (used(edge) ? "currentColor" : "var(--muted)"),
        stroke: "var(--card)",
        strokeWidth: 4,
        fontSize: 11,
      }),
      Plot.dot(inner, { ...at, r: 4.5, fill: "var(--card)", stroke: "var(--series-0)", strokeWidth: 2 }),
      Plot.text(inner, {
        ...at,
        text: (node: Node) => node.data.label,
        dx: 9,
        dy: -9,
        textAnchor: "start",
        fill: "var(--muted)",
      }),
      Plot.dot(leaves, {
        ...at,
        r: 6,
        fill: (node: Node) => (node.data.share > 0 ? "var(--series-0)" : "var(--empty-cell)"),
      }),
      Plot.text(leaves, { ...at, text: (node: Node) => node.data.label, dy: 19 }),
    ],
    color: { type: "identity" },
  });
}

function percent(share: number): string {
  if (share === 0) return "0";
  return share < 0.01 ? "<1 %" : `${Math.round(share * 100)} %`;
}
