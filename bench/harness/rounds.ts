// One workload over all contenders: prepared one after the other, compared, then timed in turns, round after round.

import { majority } from "./agree.ts";
import type { Peer } from "./peer.ts";
import type { Group, Reply, Workload } from "./protocol.ts";

export interface Timing {
  readonly rounds: number;
  /** How long one turn lasts, in ms. */
  readonly turnMs: number;
  /** What takes longer than this is given up, in ms. */
  readonly limitMs: number;
}

/** What one contender did with one workload; times are ms of one part of a run. */
export type Outcome =
  | { readonly is: "timed"; readonly best: number; readonly median: number; readonly first: number }
  | { readonly is: "measured"; readonly values: Readonly<Record<string, number>> }
  | { readonly is: "disagrees" }
  | { readonly is: "unsupported" }
  | { readonly is: "failed"; readonly reason: string };

/** Outcomes by contender. */
export type Row = { readonly workload: Workload; readonly outcomes: Readonly<Record<string, Outcome>> };

export async function measureWorkload(workload: Workload, peers: readonly Peer[], timing: Timing): Promise<Row> {
  const outcomes: Record<string, Outcome> = {};
  const ready = new Map<Peer, number>();
  const results = new Map<string, Float32Array>();
  for (const peer of peers) {
    const reply = await peer.ask({ do: "prepare", workload }, timing.limitMs);
    if (reply.is === "ready") {
      ready.set(peer, reply.first);
      if (reply.result !== "") results.set(peer.contender.name, decode(reply.result));
    } else outcomes[peer.contender.name] = withoutResult(reply);
  }
  const agreeing = majority(results, workload.tolerance);
  for (const peer of ready.keys()) {
    const { name } = peer.contender;
    if (!results.has(name) || agreeing.has(name)) continue;
    outcomes[name] = { is: "disagrees" };
    ready.delete(peer);
  }
  if (workload.measures === undefined) Object.assign(outcomes, await takeTurns(workload, ready, timing));
  else Object.assign(outcomes, await measureOnce(ready, timing));
  for (const peer of peers) await peer.ask({ do: "release" }, timing.limitMs);
  return { workload, outcomes };
}

const decode = (base64: string): Float32Array => new Float32Array(new Uint8Array(Buffer.from(base64, "base64")).buffer);

const withoutResult = (reply: Reply): Outcome =>
  reply.is === "failed" || reply.is === "unsupported" ? reply : { is: "failed", reason: `unexpected: ${reply.is}` };

async function takeTurns(
  { parts = 1 }: Workload,
  ready: ReadonlyMap<Peer, number>,
  { rounds, turnMs, limitMs }: Timing,
): Promise<Record<string, Outcome>> {
  const outcomes: Record<string, Outcome> = {};
  const times = new Map([...ready.keys()].map((peer) => [peer, [] as number[]]));
  // The first turn is the warm-up: it counts for nothing.
  for (let round = -1; round < rounds; round++) {
    for (const [peer, samples] of times) {
      const reply = await peer.ask({ do: "turn", ms: round < 0 ? 3 * turnMs : turnMs }, limitMs);
      if (reply.is !== "times") {
        outcomes[peer.contender.name] = withoutResult(reply);
        times.delete(peer);
      } else if (round >= 0) samples.push(...reply.samples);
    }
  }
  for (const [peer, samples] of times) {
    const sorted = samples.sort((a, b) => a - b).map((ms) => ms / parts);
    outcomes[peer.contender.name] = {
      is: "timed",
      best: sorted[0],
      median: sorted[sorted.length >> 1],
      first: ready.get(peer) ?? 0,
    };
  }
  return outcomes;
}

async function measureOnce(ready: ReadonlyMap<Peer, number>, timing: Timing): Promise<Record<string, Outcome>> {
  const outcomes: Record<string, Outcome> = {};
  for (const peer of ready.keys()) {
    const reply = await peer.ask({ do: "measure" }, 10 * timing.limitMs);
    outcomes[peer.contender.name] = reply.is === "measured" ? reply : withoutResult(reply);
  }
  return outcomes;
}

/** The workloads of a group whose names contain `filter`, split into sets that share processes. */
export function processSets({ workloads, fresh, name }: Group, filter: string): Workload[][] {
  const wanted = workloads.filter(({ id }) => `${name} ${id}`.toLowerCase().includes(filter.toLowerCase()));
  if (wanted.length === 0) return [];
  return fresh === true ? wanted.map((workload) => [workload]) : [wanted];
}
