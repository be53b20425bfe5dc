// Recorded interaction logs that come with the repository: finds their files, checks them, and reads them.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { DataError } from "../../engine/index.ts";
import type { Interactions } from "./interactions.ts";

export type LogName = "changelogs" | "movielens";

/** Each log's SHA-256, unpacked. What the logs are and under which terms is told in data/NOTICE.md. */
export const checksums: Readonly<Record<LogName, string>> = {
  changelogs: "9e07249102d0dd3fff0f2fc6720c27baf091b7e810a35dd77ac8929bfa932e63",
  movielens: "6d682147a3a6d53914c670c0aab29bc453a5134ab65a08743e8f23a647c55ff1",
};

/** A log: sequences of item ids from 1 on, and what the items are called. */
export interface Log extends Interactions {
  /** The name of item i is names[i - 1]. */
  readonly names: readonly string[];
}

/** The folder of the logs' files. They are part of the repository, not of the published package. */
export const logFolder = fileURLToPath(new URL("./data/", import.meta.url));

export const logPath = (name: LogName, folder: string = logFolder): string => join(folder, `${name}.json.gz`);

/** A log as the text of its file. */
export const formatLog = ({ names, sequences }: Omit<Log, "items">): string =>
  `${JSON.stringify({ names, sequences })}\n`;

/** What is wrong with a log's text, in words; undefined when it is the one that is expected. */
export function whatIsWrong(name: LogName, text: Uint8Array): string | undefined {
  const sum = createHash("sha256").update(text).digest("hex");
  if (sum === checksums[name]) return undefined;
  return `its SHA-256 is ${sum.slice(0, 16)}..., expected ${checksums[name].slice(0, 16)}... (${text.length} bytes unpacked)`;
}

/**
 * Reads a log.
 * @throws DataError when its file is missing, does not unpack, or is not what it should be
 */
export async function loadLog(name: LogName, folder: string = logFolder): Promise<Log> {
  const path = logPath(name, folder);
  const fail = (what: string, cause?: unknown): DataError =>
    new DataError("loadLog", `${path} ${what}; get it back with: npx tsx scripts/fixtures/${name}.ts`, { cause });
  let packed: Uint8Array;
  try {
    packed = await readFile(path);
  } catch (cause) {
    throw fail("cannot be read (it is part of the repository, not of the npm package)", cause);
  }
  let text: Uint8Array;
  try {
    text = gunzipSync(packed);
  } catch (cause) {
    throw fail(`is corrupt: its ${packed.length} bytes do not unpack`, cause);
  }
  const problem = whatIsWrong(name, text);
  if (problem !== undefined) throw fail(`is not what it should be: ${problem}`);
  const { names, sequences } = JSON.parse(new TextDecoder().decode(text)) as Omit<Log, "items">;
  return { items: names.length + 1, names, sequences };
}
