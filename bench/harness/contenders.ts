// Who takes part.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Contender } from "./peer.ts";

const path = (relative: string): string => fileURLToPath(new URL(`../${relative}`, import.meta.url));

const node = (file: string, ...args: readonly (string | number)[]): string[] => [
  process.execPath,
  "--expose-gc",
  "--import",
  import.meta.resolve("tsx"),
  path(file),
  ...args.map(String),
];

const ours = (threads: number): Contender => ({
  name: threads === 1 ? "Sluice" : `Sluice x${threads}`,
  kind: "ours",
  threads,
  command: node("ours.ts", threads),
});

export const ceiling: Contender = { name: "ceiling", kind: "ceiling", threads: 1, command: node("ceilings.ts") };

export const ourselves: readonly Contender[] = [ours(1), ours(2), ceiling];

const javascript = (name: string, file: string, threads = 1, ...args: readonly string[]): Contender => ({
  name,
  kind: "javascript",
  threads,
  command: node(file, threads, ...args),
});

/** All peers that are installed here. */
export function peers(): Contender[] {
  return [
    javascript("jax-js", "peers/jax.ts"),
    javascript("tfjs-wasm", "peers/tfjs.ts"),
    javascript("ort-web", "peers/onnxruntime.ts"),
    javascript("ort-web x2", "peers/onnxruntime.ts", 2),
    javascript("js-pytorch", "peers/js-pytorch.ts"),
    javascript("gpu.js webasm", "peers/gpu-js.ts", 1, "webasm"),
    javascript("gpu.js cpu", "peers/gpu-js.ts", 1, "cpu"),
    javascript("plain JS", "peers/plain.ts"),
    ...pytorch(),
  ];
}

/** Whether `npm ci` has been run in bench/peers. */
export const peersInstalled = (): boolean => existsSync(path("peers/node_modules/onnxruntime-web/package.json"));

export function installPeers(): void {
  console.error("installing the peers (bench/peers) ...");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: path("peers"), stdio: "inherit" });
  if (status !== 0) throw new Error("npm ci failed in bench/peers");
}

/** PyTorch where a python3 can import it: the one on the path, or the system's (Debian's python3-torch). */
function pytorch(): Contender[] {
  const imports = (python: string): boolean =>
    spawnSync(python, ["-c", "import torch, numpy"], { stdio: "ignore" }).status === 0;
  const python = ["python3", "/usr/bin/python3"].find(imports);
  if (python === undefined) {
    console.error("PyTorch takes no part: no python3 here imports torch (Debian: apt install python3-torch)");
    return [];
  }
  return [1, 2].map((threads) => ({
    name: threads === 1 ? "PyTorch" : `PyTorch x${threads}`,
    kind: "native",
    threads,
    command: [python, path("peers/pytorch.py"), String(threads)],
  }));
}
