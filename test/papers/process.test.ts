// A real process: its exit codes, and Ctrl-C once and twice.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";

const cli = fileURLToPath(new URL("fake-cli.ts", import.meta.url));
let out: string;

beforeEach(async () => {
  out = await mkdtemp(join(tmpdir(), "sluice-process-"));
});

afterEach(async () => {
  await rm(out, { recursive: true, force: true });
});

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, ["--import", "tsx", cli, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}

function ended(child: ChildProcess): Promise<{ code: number | null; signal: string | null; stderr: string }> {
  let stderr = "";
  child.stderr?.on("data", (chunk) => {
    stderr += String(chunk);
  });
  return new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal, stderr })));
}

function firstOutput(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.stderr?.once("data", () => resolve()));
}

it("ends with 130 and a report after one Ctrl-C", async () => {
  const child = start("reproduce", "slow", "--out", out);
  const end = ended(child);
  await firstOutput(child);
  child.kill("SIGINT");
  const { code, stderr } = await end;
  expect(stderr).toContain("interrupted: writing what has finished");
  expect(code).toBe(130);
  expect(existsSync(join(out, "report.html"))).toBe(true);
});

it("dies at the second Ctrl-C, even when the paper never looks up", async () => {
  const child = start("reproduce", "stuck", "--out", out);
  const end = ended(child);
  await firstOutput(child);
  child.kill("SIGINT");
  await firstOutput(child);
  child.kill("SIGINT");
  expect((await end).signal).toBe("SIGINT");
});

it("ends with 1 when training diverges", async () => {
  const { code, stderr } = await ended(start("reproduce", "diverging", "--out", out));
  expect(code).toBe(1);
  expect(stderr).toContain('error: "experts.0.weight" became NaN at step 7');
});
