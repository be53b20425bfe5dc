// The report's folder: made and probed before a run starts; its files replaced whole, never half-written.
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { messageOf, UsageError } from "../errors.ts";

/** Makes the folder and writes a file in it for a try. Throws `UsageError` when that can't be done. */
export async function prepareFolder(folder: string): Promise<void> {
  const probe = join(folder, `.probe-${process.pid}`);
  try {
    await makeFolder(resolve(folder));
    await writeFile(probe, "");
    await rm(probe);
  } catch (error) {
    throw new UsageError(
      `cannot write to the output folder "${folder}" (${messageOf(error)}): choose another with --out`,
      error,
    );
  }
}

/** Makes a folder and what is missing above it. One at a time: Node's recursive mkdir does not return below /proc. */
async function makeFolder(folder: string): Promise<void> {
  if (existsSync(folder)) return;
  await makeFolder(dirname(folder));
  await mkdir(folder);
}

/** Writes a temporary file beside the target, then renames it over the target. */
export async function writeAtomically(folder: string, name: string, content: string): Promise<void> {
  const temporary = join(folder, `.${name}-${process.pid}`);
  try {
    await writeFile(temporary, content);
    await rename(temporary, join(folder, name));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
