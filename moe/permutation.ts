// Local search (COMET 2.6): which expert sits behind which output of a gate, learnt as a permutation matrix.

import { ArgumentError, type DType, eye, rand, type Tensor, tensor, zeros } from "../engine/index.ts";
import { buffer, init, Module, parameter } from "../nn/index.ts";
import { Gate, type Inference, type Routing } from "./gate.ts";
import { hungarian } from "./hungarian.ts";
import { sinkhornUpTo } from "./sinkhorn.ts";

export interface PermutationConfig {
  readonly nExperts: number;
  /** How many training steps the search lasts. */
  readonly iterations: number;
  /**
   * The temperatures it starts and ends with: "official" 1e-3 and 1e-7, which is hard almost from the start, or "warm"
   * 1e-1 and 1e-3, which finds more in short runs. `tauInit` and `tauFinal` set others.
   */
  readonly preset?: keyof typeof presets;
  readonly tauInit?: number;
  readonly tauFinal?: number;
  /** Sinkhorn's iterations at the start and at the end; default [20, 150]. */
  readonly sinkhornIters?: readonly [number, number];
  /** Factor of the term that makes P hard; default 1e-4. */
  readonly zeta?: number;
  /** Factor of the Gumbel noise on B in training; default 0. */
  readonly noise?: number;
  readonly dtype?: DType;
}

const presets = {
  official: { tauInit: 1e-3, tauFinal: 1e-7 },
  warm: { tauInit: 1e-1, tauFinal: 1e-3 },
} as const;

/** B starts uniform in +-this. */
const logitRange = 0.05;

/**
 * While it learns, training uses P = Sinkhorn(B / tau), with tau falling and the number of iterations growing over the
 * steps; evaluation always uses a permutation, the one of the last `project()` or `harden()`.
 * Call `advance()` before each training step; it hardens P by itself when the search ends.
 */
export class PermutationSearch extends Module<[], Tensor> {
  readonly nExperts: number;
  readonly iterations: number;
  readonly tauRange: readonly [number, number];
  readonly sinkhornIters: readonly [number, number];
  readonly zeta: number;
  readonly noise: number;
  /** B [n, n], trainable. */
  readonly logits: Tensor;
  /** [n, n]: the permutation that evaluation uses; the identity at first. */
  readonly hard: Tensor;
  /** Scalars that change from step to step: leaves, so that a compiled step is not traced again. */
  readonly tau: Tensor;
  readonly rounds: Tensor;
  /** Whether P is still soft in training. */
  learning = true;
  #step = 0;
  #regularized = false;

  /** @throws ArgumentError for sizes below 2, temperatures or iterations out of range */
  constructor(config: PermutationConfig) {
    super();
    const {
      nExperts,
      iterations,
      preset = "official",
      sinkhornIters = [20, 150],
      zeta = 1e-4,
      noise = 0,
      dtype,
    } = config;
    if (!Object.hasOwn(presets, preset)) throw new ArgumentError("PermutationSearch", `unknown preset "${preset}"`);
    const { tauInit = presets[preset].tauInit, tauFinal = presets[preset].tauFinal } = config;
    check("nExperts", nExperts, Number.isInteger(nExperts) && nExperts >= 2);
    check("iterations", iterations, Number.isInteger(iterations) && iterations >= 1);
    check("tauInit", tauInit, tauInit > 0);
    check("tauFinal", tauFinal, tauFinal > 0);
    for (const count of sinkhornIters) check("sinkhornIters", count, Number.isInteger(count) && count >= 1);
    this.nExperts = nExperts;
    this.iterations = iterations;
    this.tauRange = [tauInit, tauFinal];
    this.sinkhornIters = sinkhornIters;
    this.zeta = zeta;
    this.noise = noise;
    this.logits = parameter([nExperts, nExperts], init.uniform(-logitRange, logitRange), { dtype });
    this.hard = buffer(eye(nExperts, nExperts, { dtype }));
    const first = this.schedule(0);
    this.tau = buffer(tensor(first.tau, { dtype }));
    this.rounds = buffer(tensor(first.rounds, { dtype: "i32" }));
  }

  /** tau and the number of Sinkhorn iterations at a step in 0..iterations: log10(tau) and the number change linearly. */
  schedule(step: number): { tau: number; rounds: number } {
    const share = Math.min(1, step / this.iterations);
    const [from, to] = this.tauRange.map(Math.log10);
    const [few, many] = this.sinkhornIters;
    return { tau: 10 ** (from + (to - from) * share), rounds: Math.trunc(few + (many - few) * share) };
  }

  /**
   * Sets the schedule for the next training step (the first call: step 0), or hardens P when the search is over.
   * Returns whether it is still on: pass that to a compiled step, which is another program afterwards.
   */
  async advance(): Promise<boolean> {
    if (!this.learning) return false;
    if (this.#step >= this.iterations) {
      await this.harden();
      return false;
    }
    const { tau, rounds } = this.schedule(this.#step++);
    this.tau.copyFrom([tau]);
    this.rounds.copyFrom([rounds]);
    return true;
  }

  /** P [n, n]: soft while learning in training mode, else the permutation. */
  override forward(): Tensor {
    return this.learning && this.training ? this.soft() : this.hard;
  }

  /** Sinkhorn(B / tau) at the current point of the schedule. */
  soft(): Tensor {
    const limit = Math.max(...this.sinkhornIters);
    return sinkhornUpTo(this.#noisy().div(this.tau), this.rounds, limit);
  }

  #noisy(): Tensor {
    if (this.noise === 0 || !this.training) return this.logits;
    const u = rand(this.logits.shape).cast(this.logits.dtype);
    // A Gumbel variable; 1 - u is above 0.
    return this.logits.add(u.neg().add(1).log().neg().log().neg().mul(this.noise));
  }

  /** zeta times the entropies of P and of P with rows normalised; 0 after the search. Added once, by the first gate wrapped. */
  regLoss(p: Tensor): Tensor {
    if (!this.learning || !this.training) return zeros([], { dtype: p.dtype });
    return entropyOf(p)
      .add(entropyOf(p.div(p.sum(1, { keepDims: true }))))
      .mul(this.zeta);
  }

  /** Sets the permutation that evaluation uses to the one nearest to the current P. The search goes on. */
  async project(): Promise<void> {
    const wasTraining = this.training;
    this.training = false;
    const p = await this.soft().data();
    this.training = wasTraining;
    const n = this.nExperts;
    const columnOf = hungarian(
      Array.from({ length: n }, (_, i) => Array.from(p.subarray(i * n, (i + 1) * n), (v) => -v)),
    );
    this.hard.copyFrom(
      Float64Array.from({ length: n * n }, (_, at) => (columnOf[Math.floor(at / n)] === at % n ? 1 : 0)),
    );
  }

  /** Ends the search: P becomes the nearest permutation, B learns no more. */
  async harden(): Promise<void> {
    await this.project();
    this.learning = false;
  }

  /** `gate` with its outputs permuted. Several gates (tasks) may share one search. */
  wrap(gate: Gate): PermutedGate {
    const first = !this.#regularized;
    this.#regularized = true;
    return new PermutedGate(gate, this, first);
  }
}

/** A gate whose output i feeds expert l by the share P[i, l]: shares become shares P, divided by their sum. */
export class PermutedGate extends Gate {
  readonly gate: Gate;
  readonly search: PermutationSearch;
  /** Whether this gate's regLoss carries the search's term. */
  readonly regularizes: boolean;

  /** @throws ArgumentError when the sizes differ */
  constructor(gate: Gate, search: PermutationSearch, regularizes = true) {
    super("PermutedGate", gate);
    if (gate.nExperts !== search.nExperts) {
      throw new ArgumentError("PermutedGate", `the gate has ${gate.nExperts} experts, the search ${search.nExperts}`);
    }
    this.gate = gate;
    this.search = search;
    this.regularizes = regularizes;
  }

  override route(x: Tensor, inference: Inference): Routing {
    const routing = this.gate.route(x, inference);
    const p = this.search.forward();
    // [B, n, k] -> [B, k, n] P -> [B, n, k]: P acts on each selector's part.
    const permuted = (parts: Tensor): Tensor => parts.mT().matmul(p).mT();
    const mixed = permuted(routing.shares);
    const soft = this.search.learning && this.search.training && this.gate.renormalizes;
    return {
      // A soft P has rows that do not quite add up to 1.
      shares: soft ? mixed.div(mixed.sum([1, 2], { keepDims: true })) : mixed,
      leafProbs: permuted(routing.leafProbs),
      regLoss: this.regularizes ? routing.regLoss.add(this.search.regLoss(p)) : routing.regLoss,
    };
  }
}

/** Sum of -p ln(p + 1e-6). */
const entropyOf = (p: Tensor): Tensor => p.mul(p.add(1e-6).log()).sum().neg();

function check(what: string, value: number, ok: boolean): void {
  if (!ok || !Number.isFinite(value)) throw new ArgumentError("PermutationSearch", `${what} is out of range: ${value}`);
}
