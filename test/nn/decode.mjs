// The module of a WorkerDataset: its batches are made from the indices alone; an index of 13 fails, one of 14 dies.

/** @type {import("../../nn/index.ts").BatchMaker<"x" | "y" | "odd", { scale: number, wait?: number }>} */
export async function batch(indices, { scale, wait = 0 }) {
  if (indices.includes(13)) throw new RangeError("no sample 13");
  if (indices.includes(14)) process.exit(3);
  await new Promise((resolve) => setTimeout(resolve, wait));
  return {
    x: { data: Float32Array.from(indices, (i) => i * scale), shape: [indices.length, 1] },
    y: { data: Int32Array.from(indices), shape: [indices.length] },
    odd: { data: Uint8Array.from(indices, (i) => i % 2), shape: [indices.length] },
  };
}
