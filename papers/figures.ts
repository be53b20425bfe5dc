// Figures as data: what a paper draws, without saying how. The report renders them.

interface Titled {
  readonly title: string;
  readonly caption: string;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** One arm of a line chart: a curve for each seed. */
export interface Line {
  readonly label: string;
  readonly seeds: readonly (readonly Point[])[];
}

/** A line chart: one colour an arm; its seeds are thin lines or a min-max band, their mean a thick line where the seeds share x. */
export interface LinesFigure extends Titled {
  readonly kind: "lines";
  readonly x: string;
  readonly y: string;
  readonly xScale?: "linear" | "log";
  readonly yScale?: "linear" | "log";
  /** Thin lines by default. */
  readonly spread?: "thin" | "band";
  readonly lines: readonly Line[];
  /** Horizontal lines to compare with: a chance level, a published number. */
  readonly marks?: readonly { readonly label: string; readonly y: number }[];
}

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Bars with the same label stand side by side, one colour a series. */
  readonly series?: string;
  /** Half the length of the error whisker. */
  readonly error?: number;
}

export interface BarsFigure extends Titled {
  readonly kind: "bars";
  readonly x: string;
  readonly y: string;
  readonly bars: readonly Bar[];
  readonly marks?: readonly { readonly label: string; readonly y: number }[];
}

/** Matrices side by side (snapshots over time): darker is larger in size; negative cells take a second colour. */
export interface HeatmapFigure extends Titled {
  readonly kind: "heatmap";
  readonly rows: string;
  readonly columns: string;
  readonly panels: readonly { readonly title: string; readonly values: readonly (readonly number[])[] }[];
  /** The absolute value that is darkest; by default the largest in all panels. */
  readonly max?: number;
}

/** A node of a drawn tree; `share` (0..1) of all samples arrive at it: the width and the label of the edge above it. */
export interface TreeNode {
  readonly label: string;
  readonly share: number;
  readonly children?: readonly TreeNode[];
}

export interface TreeFigure extends Titled {
  readonly kind: "tree";
  readonly trees: readonly { readonly title: string; readonly root: TreeNode }[];
}

export interface ScatterFigure extends Titled {
  readonly kind: "scatter";
  readonly x: string;
  readonly y: string;
  readonly points: readonly (Point & { readonly series: string; readonly label?: string })[];
  /** Draws y = x, for paired comparisons. */
  readonly diagonal?: boolean;
}

export interface TableFigure extends Titled {
  readonly kind: "table";
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

export type Figure = LinesFigure | BarsFigure | HeatmapFigure | TreeFigure | ScatterFigure | TableFigure;
