// Fails when a TypeScript file is longer than a reader will read: over 300 lines is a warning, over 400 an error.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

const WARN = 300;
const FAIL = 400;

const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.ts"], {
  encoding: "utf8",
});
const files = listed.split("\0").filter((file) => file !== "" && existsSync(file));

let failed = 0;
for (const file of files) {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n").length;
  if (lines > FAIL) failed++;
  if (lines > WARN)
    console.error(
      `${lines > FAIL ? "error" : "warning"}: ${file} has ${lines} lines (aim ${WARN}, limit ${FAIL}): split it by idea`,
    );
}
console.log(`file size: ${files.length} files, ${failed} over ${FAIL} lines`);
process.exitCode = failed > 0 ? 1 : 0;
