// Runs the command line in this process: its streams, its Ctrl-C, its exit code.
import { type Host, main } from "./commands.ts";

/** Runs `main` on `process.argv`. The first Ctrl-C is passed on; the second finds no listener, so it kills. */
export async function runProcess(outside: Pick<Host, "registry" | "useBackend">): Promise<void> {
  process.exitCode = await main(process.argv.slice(2), {
    ...outside,
    stdout: process.stdout,
    stderr: process.stderr,
    onInterrupt(listener) {
      process.once("SIGINT", listener);
      return () => process.off("SIGINT", listener);
    },
  });
}
