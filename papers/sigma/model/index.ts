// The models of the paper and its baselines.

export { Recommender } from "../recommender.ts";
export { BERT4Rec, type BERT4RecOptions } from "./bert4rec.ts";
export { GRU4Rec, type GRU4RecOptions } from "./gru4rec.ts";
export { checkHistory, type HistoryBatch, padHistories } from "./histories.ts";
export {
  best,
  type Recommendation,
  type RecommendOptions,
  recommend,
  scorerOf,
} from "./recommend.ts";
export { SASRec, type SASRecOptions } from "./sasrec.ts";
export { Mamba4Rec, Sigma, type SigmaOptions, type StateSpaceOptions } from "./sigma.ts";
export { type Stream, streamingCost, streamOf } from "./stream.ts";
