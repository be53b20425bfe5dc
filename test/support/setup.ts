// Runs in every test file: gives fast-check the run's seed, and on failure shows the counterexample with its seed and path.
import fc from "fast-check";
import { replay } from "./seed.ts";

const { seed, path } = replay();
fc.configureGlobal({ seed, ...(path === undefined ? {} : { path }), endOnFailure: false });
