// The measured process of jax-js on its wasm device. In Node it has one thread: its pool needs Web Workers.

import { readFileSync } from "node:fs";
import { defaultDevice, init } from "@jax-js/jax";
import { serve } from "../harness/serve.ts";
import { functions } from "./jax/functions.ts";
import { sigma } from "./jax/sigma.ts";
import { steps } from "./jax/steps.ts";

await init("wasm");
defaultDevice("wasm");
const manifest = new URL("node_modules/@jax-js/jax/package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
await serve(`${version}, wasm`, { ...functions, ...steps, ...sigma });
