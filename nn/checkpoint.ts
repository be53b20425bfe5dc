// Checkpoints: everything a run needs to go on bit for bit, in one safetensors file that is whole or not there.

import {
  DataError,
  decodeSafetensors,
  defaultGenerator,
  encodeSafetensors,
  type Generator,
  type Tensor,
} from "../engine/index.ts";
import type { AnyModule } from "./module.ts";
import type { AnyOptimizer } from "./optim/optimizer.ts";
import { loadTensors } from "./state.ts";

/** The state of a run. */
export interface CheckpointParts {
  readonly model: AnyModule;
  readonly optimizer?: AnyOptimizer;
  /** Streams of random numbers besides the default generator, which is always kept. */
  readonly generators?: Readonly<Record<string, Generator>>;
  /** Other leaves by group and name, such as `{ ema: average.averages }`. */
  readonly extra?: Readonly<Record<string, Readonly<Record<string, Tensor>>>>;
}

/** What is not tensors. */
export interface CheckpointInfo {
  /** How many steps were taken. */
  readonly step: number;
  /** Anything else worth keeping: configuration, seed. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** All leaves of the state, under names that tell whose they are. */
function leaves({ model, optimizer, generators = {}, extra = {} }: CheckpointParts): Record<string, Tensor> {
  const found: Record<string, Tensor> = {};
  const put = (group: string, named: Iterable<readonly [string, Tensor]>): void => {
    for (const [name, leaf] of named) found[`${group}.${name}`] = leaf;
  };
  put("model", [...model.namedParameters(), ...model.namedBuffers()]);
  if (optimizer !== undefined) put("optimizer", Object.entries(optimizer.state()));
  const streams = Object.entries({ default: defaultGenerator(), ...generators });
  put(
    "random",
    streams.map(([name, stream]) => [name, stream.state] as const),
  );
  for (const [group, named] of Object.entries(extra)) put(`extra.${group}`, Object.entries(named));
  return found;
}

/** The bytes of a checkpoint. */
export const encodeCheckpoint = (
  parts: CheckpointParts,
  { step, metadata = {} }: CheckpointInfo,
): Promise<Uint8Array> => encodeSafetensors(leaves(parts), { ...metadata, step: String(step) });

/**
 * Puts a run where a checkpoint found it: model, optimizer and random streams, all of them or none.
 * @throws DataError for bytes that are no checkpoint, ArgumentError that lists every name that does not fit
 */
export async function restoreCheckpoint(bytes: Uint8Array, parts: CheckpointParts): Promise<Required<CheckpointInfo>> {
  const { tensors, metadata } = decodeSafetensors(bytes);
  const { step: text, ...rest } = metadata;
  const step = Number(text);
  if (text === undefined || !Number.isSafeInteger(step)) throw new DataError("checkpoint", "the file has no step");
  await loadTensors("checkpoint", leaves(parts), tensors);
  return { step, metadata: rest };
}

/** Writes a checkpoint to a file, which at any moment is the old one or the new one, even when the process is killed. */
export async function saveCheckpoint(path: string, parts: CheckpointParts, info: CheckpointInfo): Promise<void> {
  await writeAtomically(path, await encodeCheckpoint(parts, info));
}

/** Reads a checkpoint from a file; see `restoreCheckpoint`. */
export async function loadCheckpoint(path: string, parts: CheckpointParts): Promise<Required<CheckpointInfo>> {
  const { readFile } = await import("node:fs/promises");
  return restoreCheckpoint(await readFile(path), parts);
}

/** Writes bytes to a temporary file beside `path`, makes sure they are on the disk, and renames it. Node only. */
export async function writeAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const { open, rename, rm } = await import("node:fs/promises");
  const { dirname } = await import("node:path");
  const temporary = `${path}.${globalThis.crypto.randomUUID()}.tmp`;
  try {
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  // The rename itself is on the disk once the folder is. Where folders cannot be opened (Windows), it is up to the system.
  const folder = await open(dirname(path), "r").catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}
