import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/setup.ts"],
    testTimeout: 60_000,
    passWithNoTests: true,
    coverage: {
      provider: "v8",
      include: ["engine/**/*.ts", "nn/**/*.ts", "moe/**/*.ts", "papers/**/*.ts"],
      reporter: ["text-summary", "html"],
    },
  },
});
