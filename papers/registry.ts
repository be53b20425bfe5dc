// The papers that the runner knows, each loaded when asked for. To add one, add its line.
import { closest } from "fastest-levenshtein";
import { UsageError } from "./errors.ts";
import type { Paper } from "./paper.ts";

export type Registry = Readonly<Record<string, () => Promise<Paper>>>;

export const papers: Registry = {
  comet: async () => (await import("./comet/index.ts")).comet,
  "gated-attention": async () => (await import("./gated-attention/index.ts")).gatedAttention,
  sigma: async () => (await import("./sigma/index.ts")).sigma,
};

/** Loads a paper by name. Throws `UsageError`, with the nearest name, when there is none. */
export async function loadPaper(registry: Registry, name: string): Promise<Paper> {
  const names = Object.keys(registry);
  if (Object.hasOwn(registry, name)) return registry[name]();
  if (names.length === 0) throw new UsageError(`unknown paper "${name}": no papers are registered yet`);
  throw new UsageError(
    `unknown paper "${name}": did you mean "${closest(name, names)}"? known papers: ${names.join(", ")}`,
  );
}
