// Runs once a test run: says which seed the property tests use and how to replay a failure.
import { replay } from "./seed.ts";

export default function announce(): void {
  const { seed, path } = replay();
  console.log(`property tests: seed ${seed}${path === undefined ? "" : `, path ${path}`}`);
  console.log('replay a failure: SLUICE_SEED=<seed> SLUICE_PATH="<path>" npx vitest run <file> -t "<test name>"\n');
}
