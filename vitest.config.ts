import { defineConfig } from "vitest/config";
import { summaryReporter } from "./test/support/reporter.ts";

/** `vitest --mode deep` runs that many times the usual cases. */
const deepScale = 20;

export default defineConfig(({ mode }) => {
  const scale = mode === "deep" ? deepScale : 1;
  return {
    test: {
      include: ["test/**/*.test.ts"],
      pool: "forks",
      maxWorkers: 2,
      globalSetup: ["test/support/global-setup.ts"],
      setupFiles: ["test/support/setup.ts"],
      provide: { scale },
      reporters: ["default", summaryReporter("reports/test-summary.json", scale)],
      testTimeout: 120_000 * scale,
      passWithNoTests: true,
      coverage: {
        provider: "v8",
        include: ["engine/**/*.ts", "nn/**/*.ts", "moe/**/*.ts"],
        reporter: ["text-summary", "html", "json-summary"],
        // ONNX models are an outside judge's: what counts there is conformance, not lines.
        thresholds: Object.fromEntries(
          ["engine/*.ts", "engine/!(io)/**", "engine/io/*.ts", "nn/**", "moe/**"].map((files) => [
            files,
            { lines: 95, branches: 90 },
          ]),
        ),
      },
    },
  };
});
