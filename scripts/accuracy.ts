// Writes docs/accuracy.md: the measured accuracy of every function.

import { mkdirSync, writeFileSync } from "node:fs";
import { enableRelaxedSimd } from "../engine/index.ts";
import { accuracyPage } from "../test/backends/wasm/accuracy-table.ts";

enableRelaxedSimd();
const page = accuracyPage();
mkdirSync(new URL("../docs/", import.meta.url), { recursive: true });
writeFileSync(new URL("../docs/accuracy.md", import.meta.url), page);
console.log(page);
