// Where a run happened: what a reader needs to judge its timings and to repeat it.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";

export interface Environment {
  readonly sluice: string;
  /** The commit of the working tree, with "+" when it has changes; null outside git. */
  readonly commit: string | null;
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
}

const root = new URL("../../", import.meta.url);

export function environment(): Environment {
  const manifest = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as { version: string };
  return {
    sluice: manifest.version,
    commit: commit(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
  };
}

function commit(): string | null {
  try {
    const changes = git("status", "--porcelain");
    return git("rev-parse", "--short=12", "HEAD") + (changes === "" ? "" : "+");
  } catch {
    return null;
  }
}

function git(...args: string[]): string {
  return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
}
