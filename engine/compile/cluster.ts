// Fusion: groups vertices into clusters, each of which becomes one kernel. Greedy, producers into consumers, as long as
// every value is met where it is made (the same element, or the own row) and no cycle between kernels appears.

import { isReduce } from "../graph/vocabulary.ts";
import { sizeOf } from "../shape.ts";
import { columnsOf, domainOf, isColumnSum, rowDomain } from "./columns.ts";
import { type Domain, joinDomains, keptSize, mapDomain, readsItself, readsOwnRow, refine } from "./domain.ts";
import { findInline } from "./inline.ts";
import { isOpaque, type Legal } from "./legalize.ts";
import { type Dependency, type Reads, readsOf } from "./reads.ts";
import { findOrders, keepsOrder, type Order } from "./rounding.ts";
import type { Target } from "./target.ts";
import { isMove, type Vertex } from "./vertex.ts";

export interface Cluster {
  readonly members: Vertex[];
  /** Undefined for an opaque kernel. */
  domain: Domain | undefined;
}

export interface Clustering {
  readonly clusters: readonly Cluster[];
  readonly clusterOf: ReadonlyMap<Vertex, Cluster>;
  readonly dependencies: ReadonlyMap<Vertex, readonly Dependency[]>;
  readonly orders: ReadonlyMap<Vertex, Order>;
  /** Vertices without a cluster: evaluated wherever they are used. */
  readonly inline: ReadonlySet<Vertex>;
}

/** Members beyond this gain little and cost registers. */
const maxMembers = 40;

/** Level of a member: one value per element, one per row, or (a column sum) one per place in a row. */
export function levelOf(vertex: Vertex, domain: Domain): "full" | "kept" | "column" {
  if (isReduce(vertex.op)) return isColumnSum(vertex, domain) ? "column" : "kept";
  return domain.axes.length > 0 && sizeOf(vertex.shape) !== sizeOf(domain.shape) ? "kept" : "full";
}

export function cluster(legal: Legal, fuse: boolean, target: Target): Clustering {
  const inline = findInline(legal, fuse);
  const state = new Fusion(legal, inline, target);
  for (const vertex of legal.order) if (!isMove(vertex) && !inline.has(vertex)) state.add(vertex, fuse);
  if (fuse) state.joinColumnSums();
  return state.result();
}

class Fusion {
  readonly #inline: ReadonlySet<Vertex>;
  readonly #clusterOf = new Map<Vertex, Cluster>();
  readonly #reads = new Map<Vertex, Reads>();
  readonly #orders: ReadonlyMap<Vertex, Order>;
  readonly #position = new Map<Vertex, number>();
  /** Whether a cluster has members on both sides of a position (before it, and at or after it). */
  readonly #straddled: boolean[];
  readonly #target: Target;
  /** What was added last: nothing reads it yet. */
  #newest: Vertex | undefined;

  constructor(legal: Legal, inline: ReadonlySet<Vertex>, target: Target) {
    this.#inline = inline;
    this.#target = target;
    this.#orders = findOrders(legal.order);
    legal.order.forEach((vertex, i) => {
      this.#position.set(vertex, i);
    });
    this.#straddled = legal.order.map(() => false);
  }

  add(vertex: Vertex, fuse: boolean): void {
    const reads = readsOf(vertex, this.#inline);
    this.#reads.set(vertex, reads);
    this.#newest = vertex;
    let own: Cluster = { members: [vertex], domain: isOpaque(vertex) ? undefined : ownDomain(vertex) };
    this.#clusterOf.set(vertex, own);
    if (!fuse) return;
    // The nearest producers first: they are the likeliest to share rows.
    const producers = new Set(reads.dependencies.map((dep) => this.#clusterOf.get(dep.vertex) as Cluster));
    for (const producer of [...producers].sort((a, b) => this.#last(b) - this.#last(a))) {
      own = this.#join(producer, own) ?? own;
    }
  }

  /** Column sums that stand alone join a kernel that reads the same rows anyway. */
  joinColumnSums(): void {
    this.#newest = undefined;
    const sums = [...this.#clusterOf].flatMap(([v, own]) => (own.members.length === 1 && columnsOf(v) ? [v] : []));
    const readers = new Map<Vertex, Vertex[]>();
    for (const sum of sums) for (const { vertex } of this.#needs(sum)) readers.set(vertex, []);
    for (const [reader, { dependencies }] of this.#reads) {
      for (const { vertex } of dependencies) readers.get(vertex)?.push(reader);
    }
    for (const vertex of sums) {
      const own = this.#clusterOf.get(vertex) as Cluster;
      if (own.members.length > 1) continue;
      const beside = this.#needs(vertex).flatMap((dep) => readers.get(dep.vertex) ?? []);
      for (const reader of beside) {
        if (this.#join(this.#clusterOf.get(reader) as Cluster, own) !== undefined) break;
      }
    }
  }

  #join(a: Cluster, b: Cluster): Cluster | undefined {
    const merged = this.#merge(a, b);
    if (merged === undefined) return undefined;
    for (const member of merged.members) this.#clusterOf.set(member, merged);
    this.#straddled.fill(true, this.#at(merged.members[0]) + 1, this.#last(merged) + 1);
    return merged;
  }

  result(): Clustering {
    const clusters = [...new Set(this.#clusterOf.values())];
    return {
      clusters,
      clusterOf: this.#clusterOf,
      dependencies: new Map([...this.#reads].map(([v, { dependencies }]) => [v, dependencies])),
      orders: this.#orders,
      inline: this.#inline,
    };
  }

  #needs(v: Vertex): readonly Dependency[] {
    return (this.#reads.get(v) as Reads).dependencies;
  }

  #last(c: Cluster): number {
    return this.#position.get(c.members[c.members.length - 1]) as number;
  }

  #merge(a: Cluster, b: Cluster): Cluster | undefined {
    if (a === b || !fusible(a) || !fusible(b)) return undefined;
    if (a.members.length + b.members.length > maxMembers) return undefined;
    const domain =
      joinDomains(a.domain as Domain, b.domain as Domain) ?? this.#joinKept(a, b) ?? this.#joinColumns(a, b);
    if (domain === undefined) return undefined;
    // What either reads of its own is as it was.
    const pairs = [[a, b] as const, [b, a] as const].filter(([, to]) => this.#isRead(to));
    for (const [from, to] of pairs) if (!from.members.every((v) => this.#meets(v, to, domain))) return undefined;
    if (pairs.some(([from, to]) => this.#needsBetween(from, to))) return undefined;
    const members = [...a.members, ...b.members].sort((p, q) => this.#at(p) - this.#at(q));
    return this.#inOrder(members, domain) ? { members, domain } : undefined;
  }

  /** Whether one walk of the rows joins the terms of every reduction in its order, and reads nothing element by element. */
  #inOrder(members: readonly Vertex[], domain: Domain): boolean {
    const [columns, others] = [true, false].map((is) =>
      members.filter((v) => is === (levelOf(v, domain) === "column")),
    );
    const orders = others.flatMap((v) => this.#orders.get(v) ?? []);
    // Column sums need lanes along the row.
    if (columns.some((v) => this.#orders.get(v)?.parts !== 1) || (columns.length > 0 && orders.some(acrossRows)))
      return false;
    if (!storable(members, orders, domain)) return false;
    if (orders.every(acrossRows)) return true;
    if (orders.some(acrossRows)) return false;
    const sides = new Set(orders.map(({ line }) => line));
    const [{ step, row }] = orders;
    for (const v of members) {
      if (!isReduce(v.op) && levelOf(v, domain) !== "full") continue;
      for (const elements of (this.#reads.get(v) as Reads).breaks) sides.add(elements / step);
    }
    const fits = (order: Order, side: number) =>
      side <= 1 || side >= row || keepsOrder(order, side) || (side > order.line && side % order.line === 0);
    return orders.every((order) => [...sides].every((side) => fits(order, side)));
  }

  #isRead(to: Cluster): boolean {
    return to.members.length > 1 || to.members[0] !== this.#newest;
  }

  /** A map over rows (one value per row) joins the kernel that makes those rows. */
  #joinKept(a: Cluster, b: Cluster): Domain | undefined {
    const [rows, map] = (a.domain as Domain).axes.length > 0 ? [a, b] : [b, a];
    const domain = rows.domain as Domain;
    if (domain.axes.length === 0 || (map.domain as Domain).axes.length > 0) return undefined;
    return map.members.every((v) => sizeOf(v.shape) === keptSize(domain)) ? domain : undefined;
  }

  /** A column sum joins the kernel that makes, or reads, its rows. */
  #joinColumns(a: Cluster, b: Cluster): Domain | undefined {
    if (!this.#target.columnSums) return undefined;
    for (const [rows, { members }] of [[a, b] as const, [b, a] as const]) {
      const columns = members.length === 1 ? columnsOf(members[0]) : undefined;
      const domain = columns && joinDomains(rows.domain as Domain, rowDomain(columns));
      const alike = (v: Vertex) =>
        !isReduce(v.op) || !isColumnSum(v, domain as Domain) || columnsOf(v)?.rows === columns?.rows;
      if (domain !== undefined && rows.members.every(alike)) return domain;
    }
    return undefined;
  }

  #at(v: Vertex): number {
    return this.#position.get(v) as number;
  }

  /** Whether everything a member reads from another cluster is there, in one with it, when and where it is needed. */
  #meets(member: Vertex, other: Cluster, domain: Domain): boolean {
    const reader = isReduce(member.op) ? "full" : levelOf(member, domain);
    if (isReduce(member.op) && sizeOf(member.inputs[0].shape) !== sizeOf(domain.shape)) return false;
    return this.#needs(member).every((dep) => {
      if (this.#clusterOf.get(dep.vertex) !== other) return true;
      if (dep.whole || dep.vertex.part !== undefined) return false;
      const made = levelOf(dep.vertex, domain);
      // A column sum is complete only after the whole kernel.
      if (made === "column") return false;
      if (made === reader) return readsItself(dep.access) && sizeOf(dep.vertex.shape) === sizeOf(dep.access[0].shape);
      return reader === "full" && readsOwnRow(domain, dep.access);
    });
  }

  /** Whether a kernel outside of both, which one reads from, needs the other. */
  #needsBetween(from: Cluster, to: Cluster): boolean {
    let first = this.#at(to.members[0]);
    // What lies before a position that no cluster straddles reads nothing after it: the search ends there.
    while (this.#straddled[first]) first -= 1;
    const seen = new Set<Cluster>([from]);
    const stack: Cluster[] = [from];
    while (stack.length > 0) {
      const c = stack.pop() as Cluster;
      for (const v of c.members) {
        for (const { vertex } of this.#needs(v)) {
          const read = this.#clusterOf.get(vertex) as Cluster;
          if (read === to && c !== from) return true;
          if (read === to || seen.has(read) || this.#last(read) < first) continue;
          seen.add(read);
          stack.push(read);
        }
      }
    }
    return false;
  }
}

/** Whether parts of concatenations are stored in steps along the axes of the kernel. */
function storable(members: readonly Vertex[], orders: readonly Order[], domain: Domain): boolean {
  const parts = members.filter(({ part }) => part !== undefined);
  const size = sizeOf(domain.shape);
  const lines = orders.map(({ line, step }) => [size / (line * step), line * step]);
  return parts.length === 0 || refine([domain.shape, ...lines, ...parts.map(({ shape }) => shape)]) !== undefined;
}

const acrossRows = ({ parts }: Order): boolean => parts === 1;

/** Opaque kernels stand alone, and so does what has no elements: nothing is computed there but empty folds. */
const fusible = ({ domain }: Cluster): boolean => domain !== undefined && sizeOf(domain.shape) > 0;

function ownDomain(vertex: Vertex): Domain {
  if (isReduce(vertex.op)) return domainOf(vertex);
  return mapDomain(vertex.shape);
}
