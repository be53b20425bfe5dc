// The measured process of TensorFlow.js on its wasm backend (SIMD). In Node that backend has one thread.

import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { serve } from "../harness/serve.ts";
import { functions } from "./tfjs/functions.ts";
import { steps } from "./tfjs/steps.ts";

setWasmPaths(fileURLToPath(new URL("node_modules/@tensorflow/tfjs-backend-wasm/dist/", import.meta.url)));
await tf.setBackend("wasm");
await tf.ready();
const simd = await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT");
await serve(`${tf.version_core}, ${tf.getBackend()}${simd ? " with SIMD" : ""}`, { ...functions, ...steps });
