// Mixtures of experts: one gate for one task, or a gate for each of several tasks over shared experts.

import { ArgumentError, type Tensor } from "../engine/index.ts";
import { Module } from "../nn/index.ts";
import type { Experts } from "./experts.ts";
import type { Gate, GateOutput, Inference } from "./gate.ts";
import { type SparseOutput, sparseMixture } from "./sparse.ts";

export interface MixtureOptions {
  /** What the gates look at, when that is not x (an embedding, ids). */
  readonly gateInput?: Tensor;
  /** Default "soft"; "hard": at most k experts have weight. */
  readonly inference?: Inference;
}

export interface MixtureOutput {
  /** [B, out]. */
  readonly output: Tensor;
  readonly gate: GateOutput;
  /** Add it to the loss in training. */
  readonly regLoss: Tensor;
}

/** sum_i g_i(x) f_i(x). */
export class MoE extends Module<[x: Tensor, options?: MixtureOptions], MixtureOutput> {
  readonly experts: Experts;
  readonly gate: Gate;

  /** @throws ArgumentError when their numbers of experts differ */
  constructor(experts: Experts, gate: Gate) {
    super();
    checkSizes("MoE", experts, [gate]);
    this.experts = experts;
    this.gate = gate;
  }

  /** x [B, ...] -> every expert on every sample, weighed. */
  override forward(x: Tensor, { gateInput = x, inference }: MixtureOptions = {}): MixtureOutput {
    const gate = this.gate.forward(gateInput, inference);
    return { output: mix(this.experts.forward(x), gate.weights), gate, regLoss: gate.regLoss };
  }

  /** The same output with only the experts run that have weight, sample by sample. */
  async sparse(x: Tensor, { gateInput = x, inference }: MixtureOptions = {}): Promise<SparseOutput> {
    return sparseMixture(this.experts, this.gate.forward(gateInput, inference).weights, x);
  }
}

export interface MultiGateOutput {
  /** One [B, out] a task. */
  readonly outputs: readonly Tensor[];
  readonly gates: readonly GateOutput[];
  /** The sum over the gates. Add it to the loss in training. */
  readonly regLoss: Tensor;
}

/** Shared experts, and a gate for each task. */
export class MultiGateMoE extends Module<[x: Tensor, options?: MixtureOptions], MultiGateOutput> {
  readonly experts: Experts;
  readonly gates: readonly Gate[];

  /** @throws ArgumentError when there is no gate or the numbers of experts differ */
  constructor(experts: Experts, gates: readonly Gate[]) {
    super();
    checkSizes("MultiGateMoE", experts, gates);
    this.experts = experts;
    this.gates = gates;
  }

  /** x [B, ...]: the experts run once for all tasks. */
  override forward(x: Tensor, { gateInput = x, inference }: MixtureOptions = {}): MultiGateOutput {
    const y = this.experts.forward(x);
    const gates = this.gates.map((gate) => gate.forward(gateInput, inference));
    const outputs = gates.map((gate) => mix(y, gate.weights));
    return { outputs, gates, regLoss: gates.map((gate) => gate.regLoss).reduce((sum, term) => sum.add(term)) };
  }
}

/** y [n, B, out], g [B, n] -> sum_i g_i y_i: [B, out]. */
const mix = (y: Tensor, g: Tensor): Tensor => y.mul(g.t().unsqueeze(-1)).sum(0);

function checkSizes(name: string, experts: Experts, gates: readonly Gate[]): void {
  if (gates.length === 0) throw new ArgumentError(name, "needs at least one gate");
  for (const gate of gates) {
    if (gate.nExperts !== experts.nExperts) {
      throw new ArgumentError(name, `there are ${experts.nExperts} experts, but a gate chooses among ${gate.nExperts}`);
    }
  }
}
