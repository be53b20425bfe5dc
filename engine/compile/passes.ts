// When each member of a cluster is computed: row passes and the points between them, and what is kept in memory from
// one pass to the next instead of being computed again.

import { isReduce } from "../graph/vocabulary.ts";
import { type Cluster, type Clustering, levelOf } from "./cluster.ts";
import type { Domain } from "./domain.ts";
import { weight } from "./inline.ts";
import type { Vertex } from "./vertex.ts";

export interface Schedule {
  /** Number of row passes. */
  readonly passes: number;
  /** For full members and reductions: the row pass; for kept members: the pass they come after. */
  readonly time: ReadonlyMap<Vertex, number>;
  /** Full values put in memory during a pass and read back in later ones: where they are put. */
  readonly spills: ReadonlyMap<Vertex, Spill>;
}

/** A place for a spilled value: the buffer of a result of the same kernel that is written later, or one of its own. */
export interface Spill {
  readonly pass: number;
  readonly into: Vertex | undefined;
}

/** Cheaper than this, a value is computed again rather than stored and loaded. */
const worthKeeping = 8;

export function schedulePasses(c: Cluster, clustering: Clustering, stored: ReadonlySet<Vertex>): Schedule {
  const domain = c.domain as Domain;
  const inside = new Set(c.members);
  const inner = (v: Vertex): Vertex[] => {
    const found = clustering.dependencies.get(v) ?? [];
    return [...new Set(found.map((dep) => dep.vertex))].filter((vertex) => inside.has(vertex));
  };
  const isFull = (v: Vertex): boolean => levelOf(v, domain) === "full";
  const time = earliest(c, inner, isFull, delayedFolds(c, clustering, stored, inner, isFull));
  const runs = c.members.filter((v) => isFull(v) || isReduce(v.op)).map((v) => time.get(v) as number);
  const spills = findSpills(c, inner, isFull, time, stored);
  return { passes: Math.max(0, ...runs) + 1, time, spills };
}

/** The pass of each member: as early as what it needs is there, folds no earlier than `from` says. */
function earliest(
  c: Cluster,
  inner: (v: Vertex) => Vertex[],
  isFull: (v: Vertex) => boolean,
  from: ReadonlyMap<Vertex, number>,
): Map<Vertex, number> {
  const time = new Map<Vertex, number>();
  for (const v of c.members) {
    const runsInPass = isFull(v) || isReduce(v.op);
    const ready = inner(v).map((dep) => (time.get(dep) as number) + (runsInPass && !isFull(dep) ? 1 : 0));
    time.set(v, Math.max(from.get(v) ?? 0, ...ready));
  }
  return time;
}

/**
 * Folds that run in a later pass than they could, still before their results are needed: where that pass reads or
 * computes more of what they fold than their own does.
 */
function delayedFolds(
  c: Cluster,
  clustering: Clustering,
  stored: ReadonlySet<Vertex>,
  inner: (v: Vertex) => Vertex[],
  isFull: (v: Vertex) => boolean,
): Map<Vertex, number> {
  const delays = new Map<Vertex, number>();
  const folds = c.members.filter((v) => isReduce(v.op));
  const anchored = (v: Vertex): boolean => isReduce(v.op) || (isFull(v) && stored.has(v));
  let time = earliest(c, inner, isFull, delays);
  const passes = 1 + Math.max(0, ...c.members.filter(anchored).map((v) => time.get(v) as number));
  if (folds.length < 2 || passes < 2) return delays;
  const inside = new Set(c.members);
  const users = new Map<Vertex, Vertex[]>(c.members.map((v) => [v, []]));
  for (const user of c.members) for (const dep of inner(user)) users.get(dep)?.push(user);
  /** The first pass that must have the vertex. */
  const due = (v: Vertex): number =>
    Math.min(...(users.get(v) ?? []).map((user) => (anchored(user) ? (time.get(user) as number) : due(user))));
  /** Everything full that is read or computed to evaluate these. */
  const reach = (roots: readonly Vertex[]): Set<Vertex> => {
    const found = new Set<Vertex>();
    const stack = [...roots];
    for (let v = stack.pop(); v !== undefined; v = stack.pop()) {
      for (const { vertex } of clustering.dependencies.get(v) ?? []) {
        if (found.has(vertex) || (inside.has(vertex) && !isFull(vertex))) continue;
        found.add(vertex);
        if (inside.has(vertex) && !stored.has(vertex)) stack.push(vertex);
      }
    }
    return found;
  };
  for (const fold of folds) {
    const own = time.get(fold) as number;
    const last = Math.min(due(fold), passes) - 1;
    if (last <= own) continue;
    const wanted = [...reach([fold])];
    const shared = (pass: number): number => {
      const others = reach(c.members.filter((v) => v !== fold && anchored(v) && time.get(v) === pass));
      return wanted.filter((v) => others.has(v)).length;
    };
    let best = own;
    for (let pass = own + 1; pass <= last; pass++) if (shared(pass) > shared(best)) best = pass;
    if (best === own) continue;
    delays.set(fold, best);
    time = earliest(c, inner, isFull, delays);
  }
  return delays;
}

function findSpills(
  c: Cluster,
  inner: (v: Vertex) => Vertex[],
  isFull: (v: Vertex) => boolean,
  time: ReadonlyMap<Vertex, number>,
  stored: ReadonlySet<Vertex>,
): Map<Vertex, Spill> {
  const spills = new Map<Vertex, Spill>();
  const needed = new Map<Vertex, Set<number>>(c.members.map((v) => [v, new Set()]));
  const cost = new Map<Vertex, number>();
  for (const v of c.members) {
    const below = inner(v).filter((dep) => isFull(dep) && !stored.has(dep));
    cost.set(v, weight(v) + below.reduce((sum, dep) => sum + (cost.get(dep) as number), 0));
  }
  const taken = new Set<Vertex>();
  for (const v of c.members.toReversed()) {
    if (!isFull(v) && !isReduce(v.op)) continue;
    const at = time.get(v) as number;
    const uses = needed.get(v) as Set<number>;
    const inMemory = stored.has(v) || isReduce(v.op);
    if (!inMemory && uses.size > 1 && (cost.get(v) as number) >= worthKeeping) {
      const into = c.members.find((z) => canHost(z, v, Math.max(...uses)));
      if (into !== undefined) taken.add(into);
      spills.set(v, { pass: Math.min(...uses), into });
    }
    const evaluatedIn = inMemory ? [at] : spills.has(v) ? [Math.min(...uses)] : [...uses];
    for (const dep of inner(v)) for (const pass of evaluatedIn) (needed.get(dep) as Set<number>).add(pass);
  }
  return spills;

  function canHost(z: Vertex, v: Vertex, lastUse: number): boolean {
    const fits = z.dtype === v.dtype;
    const free = isFull(z) && stored.has(z) && z.part === undefined && !taken.has(z);
    return free && fits && z !== v && (time.get(z) as number) >= lastUse;
  }
}
