// Names of parameters in files of others: Python's to ours and back, and what else must be renamed as data.

import { ArgumentError, type Tensor } from "../engine/index.ts";

/** What to look for in a name, and what to put there (with $1, $2, ... for groups). */
export type Renaming = readonly [pattern: RegExp, replacement: string];

/** "self_attn.q_proj.weight" -> "selfAttn.qProj.weight". */
export const camelCase = (name: string): string =>
  name.replace(/(?<=[A-Za-z0-9])_([A-Za-z0-9])/g, (_, next: string) => next.toUpperCase());

/** "selfAttn.qProj.weight" -> "self_attn.q_proj.weight". */
export const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * A state under other names: each goes through `names` (such as `camelCase`), then through the renamings in order.
 * `renameState(file, camelCase, [[/^model\./, ""], [/selfAttn/, "attention"]])`
 * @throws ArgumentError where two names become one
 */
export function renameState(
  state: Readonly<Record<string, Tensor>>,
  names: (name: string) => string,
  renamings: readonly Renaming[] = [],
): Record<string, Tensor> {
  const from = new Map<string, string>();
  for (const name of Object.keys(state)) {
    const renamed = renamings.reduce((text, [pattern, by]) => text.replace(pattern, by), names(name));
    const other = from.get(renamed);
    if (other !== undefined)
      throw new ArgumentError("renameState", `"${other}" and "${name}" both become "${renamed}"`);
    from.set(renamed, name);
  }
  return Object.fromEntries([...from].map(([renamed, name]) => [renamed, state[name]]));
}
