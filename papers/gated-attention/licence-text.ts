// The text that the language models read: eleven licences, packed in data/. Finds the file, checks it, cuts and batches it.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { ArgumentError, DataError, type Tensor, tensor } from "../../engine/index.ts";
import { Stream } from "../../nn/index.ts";

/** The licences in the order in which they stand, under their names in Debian's /usr/share/common-licenses. */
export const licences = [
  "Apache-2.0",
  "Artistic",
  "GFDL-1.3",
  "GPL-1",
  "GPL-2",
  "GPL-3",
  "LGPL-2.1",
  "LGPL-3",
  "MPL-1.1",
  "MPL-2.0",
  "CC0-1.0",
] as const;

/** What the unpacked text must be. */
export const expected = {
  bytes: 190_008,
  characters: 86,
  sha256: "736297045074a2145d5cd421068dd37320d33b1b54600a3c75f37bee1e277662",
} as const;

/** Where the packed text is. */
export const textPath = fileURLToPath(new URL("./data/licences.txt.gz", import.meta.url));

const blockLength = 2048;
/** Every so many blocks, from the first on, one is for validation. */
const validationEvery = 10;

/** The text as numbers, one a character: the position of the character among those that occur, in order of their codes. */
export interface LicenceText {
  readonly vocabulary: readonly string[];
  /** 82 blocks of 2,048 characters. */
  readonly training: Int32Array;
  /** 10 blocks: the first, the eleventh, ... */
  readonly validation: Int32Array;
}

/**
 * Reads the packed text.
 * @throws DataError where the file is missing, does not unpack, or is not the text that it should be
 */
export async function loadLicenceText(path: string = textPath): Promise<LicenceText> {
  let packed: Uint8Array;
  try {
    packed = await readFile(path);
  } catch (cause) {
    throw new DataError("licence text", `cannot read ${path}; ${remedy}`, { cause });
  }
  let bytes: Uint8Array;
  try {
    bytes = gunzipSync(packed);
  } catch (cause) {
    throw new DataError("licence text", `${path} does not unpack: truncated or no gzip file; ${remedy}`, { cause });
  }
  const problem = whatIsWrong(bytes);
  if (problem !== undefined) throw new DataError("licence text", `${path} was changed: ${problem}; ${remedy}`);
  return cut(bytes);
}

const remedy =
  "restore it from the repository (the published package does not have it), or make it again with: " +
  "npx tsx scripts/fixtures/licence-text.ts";

/** How bytes differ from the text that the results were made with; undefined where they don't. */
export function whatIsWrong(bytes: Uint8Array): string | undefined {
  if (bytes.length !== expected.bytes) return `${bytes.length} bytes, expected ${expected.bytes}`;
  const sum = createHash("sha256").update(bytes).digest("hex");
  return sum === expected.sha256 ? undefined : `its SHA-256 is ${sum}, expected ${expected.sha256}`;
}

/** Cuts a text of ASCII characters in blocks; what is left at the end is dropped. */
export function cut(bytes: Uint8Array): LicenceText {
  const codes = [...new Set(bytes)].sort((a, b) => a - b);
  const idOf = new Map(codes.map((code, i) => [code, i]));
  const parts: Record<"training" | "validation", number[]> = { training: [], validation: [] };
  for (let block = 0; (block + 1) * blockLength <= bytes.length; block++) {
    const part = block % validationEvery === 0 ? parts.validation : parts.training;
    for (const code of bytes.subarray(block * blockLength, (block + 1) * blockLength)) part.push(idOf.get(code) ?? -1);
  }
  return {
    vocabulary: codes.map((code) => String.fromCharCode(code)),
    training: Int32Array.from(parts.training),
    validation: Int32Array.from(parts.validation),
  };
}

/** Inputs [B, n] and, one further, targets [B, n]; i32. */
export interface Windows {
  readonly inputs: Tensor;
  readonly targets: Tensor;
}

function windows(text: Int32Array, starts: readonly number[], length: number): Windows {
  const gathered = (shift: number): Tensor => {
    const values = new Int32Array(starts.length * length);
    starts.forEach((start, i) => {
      values.set(text.subarray(start + shift, start + shift + length), i * length);
    });
    return tensor(values, { shape: [starts.length, length] });
  };
  return { inputs: gathered(0), targets: gathered(1) };
}

/** The training windows of a step (from 0 on): random places, which depend on the seed and the step only. */
export function trainingWindows(
  text: Int32Array,
  { seed, step, count, length }: { seed: number; step: number; count: number; length: number },
): Windows {
  const stream = new Stream(seed, `licence windows, step ${step}`);
  const starts = Array.from({ length: count }, () => stream.integer(text.length - length));
  return windows(text, starts, length);
}

/**
 * The first `targets` characters to be predicted, in windows one after the other without overlap: [targets / length, length].
 * @throws ArgumentError where the text is too short or the windows do not come out even
 */
export function validationWindows(text: Int32Array, targets: number, length: number): Windows {
  if (targets % length !== 0 || targets >= text.length) {
    throw new ArgumentError(
      "validationWindows",
      `${targets} targets in windows of ${length}: needs a multiple of the window, below the ${text.length} characters`,
    );
  }
  const starts = Array.from({ length: targets / length }, (_, i) => i * length);
  return windows(text, starts, length);
}
