// The command line, from arguments to report and exit code, on a fake paper.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ResultFile } from "../../papers/report/result.ts";
import { fakePaper, fakeWith } from "./fake.ts";
import { runCommand } from "./host.ts";

let out: string;

beforeEach(async () => {
  out = await mkdtemp(join(tmpdir(), "sluice-report-"));
});

afterEach(async () => {
  await rm(out, { recursive: true, force: true });
});

async function readResult(): Promise<ResultFile> {
  return JSON.parse(await readFile(join(out, "result.json"), "utf8")) as ResultFile;
}

describe("reproduce", () => {
  it("prints the claims table and writes both files, and only them", async () => {
    const { code, stdout, stderr } = await runCommand(["reproduce", "fake", "--out", out], [fakePaper]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/C1 .*pass/);
    expect(stdout).toMatch(/C2 .*fail/);
    expect(stdout).toContain("claims: 1 passed, 1 failed, 1 report only, 1 not run");
    expect(stdout).toContain(`report: ${join(out, "report.html")}`);
    expect(stderr).not.toContain("\u001b");
    expect(stderr).toMatch(/\[15\/15\] task A \/ hash, seed 14 {2}step 150\/150 {2}loss \d/);
    expect((await readdir(out)).sort()).toEqual(["report.html", "result.json"]);
  });

  it("records config, seeds, environment, series and claims", async () => {
    await runCommand(
      ["reproduce", "fake", "--quick", "--seeds", "3", "--backend", "reference", "--out", out],
      [fakePaper],
    );
    const result = await readResult();
    expect(result).toMatchObject({
      paper: "fake",
      mode: "quick",
      status: "completed",
      error: null,
      backend: "reference",
    });
    expect(result.seeds).toEqual([10, 11, 12]);
    expect(result.config).toEqual(fakePaper.configs.quick);
    expect(result.environment).toMatchObject({
      node: process.version,
      sluice: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
    expect(result.trials).toHaveLength(9);
    expect(result.trials[0].series.loss.steps).toHaveLength(60);
    expect(result.trials[0].data).toEqual({ usage: [0.5, 0.25, 0.25] });
    expect(result.claims.map((claim) => claim.verdict)).toEqual([
      "report-only",
      "report-only",
      "report-only",
      "not-run",
    ]);
    expect(result.claims.map((claim) => claim.holds)).toEqual([true, false, null, null]);
  });

  it("reports instead of judging with fewer seeds than the rules ask for", async () => {
    const { stdout } = await runCommand(["reproduce", "fake", "--seeds", "2", "--out", out], [fakePaper]);
    expect(stdout).toContain("claims: 0 passed, 0 failed, 3 report only, 1 not run");
  });

  it("with --json, writes the result and nothing else to stdout", async () => {
    const { code, stdout, stderr } = await runCommand(
      ["reproduce", "fake", "--quick", "--json", "--out", out],
      [fakePaper],
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(await readResult());
    expect(stdout).toBe(await readFile(join(out, "result.json"), "utf8"));
    expect(stderr).toContain("report: ");
  });

  it("keeps what finished when training diverges, and says where", async () => {
    const { code, stderr } = await runCommand(["reproduce", "fake", "--out", out], [fakeWith({ divergeAt: 7 })]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: "experts\.0\.weight" became NaN at step 7: lower the learning rate/m);
    const result = await readResult();
    expect(result.status).toBe("failed");
    expect(result.trials.map((trial) => trial.status)).toEqual(["finished", "failed"]);
    expect(result.trials[1].series.loss.steps).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await readFile(join(out, "report.html"), "utf8")).toContain("This run failed:");
  });

  it("writes the report of what finished when interrupted, judging nothing", async () => {
    const slow = fakeWith({ pause: 1, steps: 40 });
    const { code, stdout, stderr } = await runCommand(["reproduce", "fake", "--out", out], [slow], 100);
    expect(code).toBe(130);
    expect(stderr).toContain("interrupted: writing what has finished");
    expect(stdout).toContain("interrupted in");
    const result = await readResult();
    expect(result.status).toBe("interrupted");
    expect(result.trials.length).toBeLessThan(15);
    expect(result.trials.at(-1)?.status).toBe("interrupted");
    expect(result.claims.every((claim) => claim.verdict === "not-run" || claim.kind === "report-only")).toBe(true);
    expect(await readFile(join(out, "report.html"), "utf8")).toContain("This run was interrupted.");
  });

  it("refuses an output folder that can't be written, before it runs anything", async () => {
    const file = join(out, "file");
    await writeFile(file, "");
    let ran = false;
    const paper = { ...fakePaper, run: async () => void (ran = true) };
    const { code, stderr } = await runCommand(["reproduce", "fake", "--out", join(file, "folder")], [paper]);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^error: cannot write to the output folder ".*" \(ENOTDIR.*\): choose another with --out\n$/,
    );
    expect(ran).toBe(false);
  });

  it.each([
    [["reproduce", "fkae"], 'unknown paper "fkae": did you mean "fake"? known papers: fake, other'],
    [["describe", "nothing"], 'unknown paper "nothing"'],
    [["reproduce"], "missing required argument 'paper'"],
    [["reproduce", "fake", "--quikc"], "unknown option '--quikc'"],
    [["reproduce", "fake", "--quick", "--full"], "cannot be used with option"],
    [["reproduce", "fake", "--seeds", "0"], "a whole number from 1 to 1000"],
    [["reproduce", "fake", "--seeds", "2.5"], "a whole number from 1 to 1000"],
    [["reproduce", "fake", "--seeds", "many"], "a whole number from 1 to 1000"],
    [["reproduce", "fake", "--backend", "gpu"], "Allowed choices are wasm, reference"],
    [["reproduces", "fake"], "Did you mean reproduce?"],
  ])("answers %j with exit code 2", async (args, message) => {
    const { code, stdout, stderr } = await runCommand(args, [fakePaper, { ...fakePaper, name: "other" }]);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
  });

  it("answers --help with exit code 0", async () => {
    const { code, stdout } = await runCommand(["reproduce", "--help"], [fakePaper]);
    expect(code).toBe(0);
    expect(stdout).toContain("--quick");
  });
});

describe("describe", () => {
  it("prints modules with totals", async () => {
    const { code, stdout } = await runCommand(["describe", "fake"], [fakePaper]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/gate +│ COMETGate +│ \[B, 24\] -> \[B, 8\] │ +750 │ +720/);
    expect(stdout).toMatch(/total .* 9,262 │ +8,912/);
  });
});
