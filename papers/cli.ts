// The entry point of `npm run reproduce -- <paper>` and `npm run describe -- <paper>`.
import { setBackend } from "../engine/index.ts";
import { runProcess } from "./process.ts";
import { papers } from "./registry.ts";

await runProcess({ registry: papers, useBackend: setBackend });
