// Compiled programs by graph structure: bounded, least recently used leaves first, with statistics.

import type { Executable } from "../backends/backend.ts";

export interface CacheStatistics {
  readonly size: number;
  readonly limit: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
}

class ProgramCache {
  #entries = new Map<string, Executable>();
  #limit = 256;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  get(key: string, prepare: () => Executable): Executable {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#hits += 1;
      // A Map keeps insertion order: moving the entry to the end marks it as used last.
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known;
    }
    this.#misses += 1;
    const executable = prepare();
    this.#entries.set(key, executable);
    this.#shrink();
    return executable;
  }

  set limit(limit: number) {
    this.#limit = Math.max(1, limit);
    this.#shrink();
  }

  clear(): void {
    for (const executable of this.#entries.values()) executable.release();
    this.#entries.clear();
  }

  get statistics(): CacheStatistics {
    const { size } = this.#entries;
    return { size, limit: this.#limit, hits: this.#hits, misses: this.#misses, evictions: this.#evictions };
  }

  #shrink(): void {
    for (const [key, executable] of this.#entries) {
      if (this.#entries.size <= this.#limit) return;
      executable.release();
      this.#entries.delete(key);
      this.#evictions += 1;
    }
  }
}

/** Programs of un-compiled code. Compiled functions hold their own. */
export const programCache = new ProgramCache();
