// Gates, experts and mixtures of them, on the tensor engine.

export { type COMETConfig, COMETGate, jointSoftmax } from "./comet-gate.ts";
export { type DSelectKConfig, DSelectKGate } from "./dselect-gate.ts";
export { ExpertList, Experts, MLPExperts, type MLPExpertsConfig } from "./experts.ts";
export {
  entropy,
  Gate,
  type GateConfig,
  type GateOutput,
  hardened,
  type Inference,
  type Routing,
  supportThreshold,
} from "./gate.ts";
export { type HashConfig, HashGate } from "./hash-gate.ts";
export { hungarian } from "./hungarian.ts";
export { type MixtureOptions, type MixtureOutput, MoE, MultiGateMoE, type MultiGateOutput } from "./mixture.ts";
export { type PermutationConfig, PermutationSearch, PermutedGate } from "./permutation.ts";
export { sinkhorn, sinkhornUpTo } from "./sinkhorn.ts";
export { smoothStep } from "./smooth-step.ts";
export { type SoftmaxConfig, SoftmaxGate } from "./softmax-gate.ts";
export { evaluationsPerSample, type SparseOutput, sparseMixture } from "./sparse.ts";
export { type TopKConfig, TopKGate } from "./topk-gate.ts";
export { leafOrder, type TreeProbabilities, treeProbabilities, treeShape } from "./tree.ts";
export { type TreeEnsembleConfig, TreeEnsembleLayer } from "./tree-ensemble.ts";
export { treeText } from "./tree-text.ts";
