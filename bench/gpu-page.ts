// The script of the page that gpu.ts opens in Chromium: the contests, for the bench to call.

import { contend } from "./gpu-contests.ts";

Object.assign(globalThis, { contend });
