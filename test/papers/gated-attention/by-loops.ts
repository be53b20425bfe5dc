// The layer's and the model's equations written as loops over plain numbers: what the modules are compared with.

import type { GatedAttention, GatedAttentionOptions } from "../../../papers/gated-attention/attention.ts";
import type { TransformerLM } from "../../../papers/gated-attention/model.ts";
import { getParameter } from "./tools.ts";

type Vector = readonly number[];
/** One vector per head. */
type Heads = readonly Vector[];

const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
const scoreFunctions: Readonly<Record<string, (v: number) => number>> = {
  sigmoid,
  silu: (v) => v * sigmoid(v),
  "ns-sigmoid": (v) => 0.5 + 0.5 * sigmoid(v),
  identity: (v) => v,
};
const sum = (values: Vector): number => values.reduce((total, v) => total + v, 0);
const dot = (a: Vector, b: Vector): number => sum(a.map((v, i) => v * b[i]));
const chunks = (values: Vector, size: number): Vector[] =>
  Array.from({ length: values.length / size }, (_, i) => values.slice(i * size, (i + 1) * size));

/** Output [n][dModel] of one sequence x [n][dModel]. */
export function attentionByLoops(layer: GatedAttention, options: GatedAttentionOptions, x: readonly Vector[]) {
  const { nHeads, nKvHeads, headDim, gate, switchHead, qkNorm = true, rope = {}, eps = 1e-6, control } = options;
  const rows = (name: string): Vector[] => getParameter(layer, name).toArray() as unknown as Vector[];
  const flat = (name: string): Vector => Array.from(getParameter(layer, name).dataSync());
  const project = (matrix: string, v: Vector): Vector => rows(matrix).map((row) => dot(row, v));

  const normed = (v: Vector, weight: string): Vector => {
    const scale = 1 / Math.sqrt(sum(v.map((e) => e * e)) / v.length + eps);
    return v.map((e, i) => e * scale * flat(weight)[i]);
  };
  const turned = (v: Vector, position: number): Vector => {
    if (rope === null) return v;
    const half = headDim / 2;
    return v.map((_, i) => {
      const angle = position * (rope.theta ?? 10_000) ** ((-2 * (i % half)) / headDim);
      const [a, b] = [v[i % half], v[(i % half) + half]];
      return i < half ? a * Math.cos(angle) - b * Math.sin(angle) : b * Math.cos(angle) + a * Math.sin(angle);
    });
  };

  /** Scores of one token, [head][channel or one]. */
  const scoresOf = (v: Vector, heads: number): Heads => {
    if (gate === null || gate === undefined) return [];
    const seen = v.slice(0, options.gateInputDims ?? v.length);
    const free = gate.inputIndependent === true;
    const raw = free ? rows("gate.logits").flat() : project("gate.proj.weight", seen);
    const biased = options.gateBias === undefined ? raw : raw.map((e, i) => e + flat("gate.proj.bias")[i]);
    const logits = chunks(biased, biased.length / heads);
    const activate = scoreFunctions[gate.activation ?? "sigmoid"];
    const mean = (list: Heads): Vector => list[0].map((_, c) => sum(list.map((head) => head[c])) / heads);
    const first = gate.shareBefore === true ? [mean(logits)] : logits;
    const scores = first.map((head) => head.map(activate));
    return gate.sharing === "shared" && gate.shareBefore !== true ? [mean(scores)] : scores;
  };
  const gatedAt = (position: string, token: Vector, heads: Heads): Heads => {
    if (gate?.position !== position) return heads;
    const scores = scoresOf(token, heads.length);
    return heads.map((head, h) =>
      head.map((value, c) => {
        const own = scores[scores.length === 1 ? 0 : h];
        const score = own[own.length === 1 ? 0 : c];
        return gate.form === "add" ? value + score : value * score;
      }),
    );
  };

  /** Keys or values of one token: a projection, or SwitchHead's sum over experts. */
  const keysOrValues = (name: "kProj" | "vProj", token: Vector): Heads => {
    if (switchHead === null || switchHead === undefined || (name === "kProj" && !switchHead.keys))
      return chunks(project(`${name}.weight`, token), headDim);
    const all = chunks(chunks(project(`${name}.proj.weight`, token), headDim).flat(), nKvHeads * headDim);
    return chunks(project(`${name}.router.weight`, token), switchHead.experts).map((logits, h) => {
      const ranked = logits.map((_, e) => e).sort((a, b) => logits[b] - logits[a]);
      const chosen = ranked.slice(0, switchHead.topK);
      return Array.from({ length: headDim }, (_, c) =>
        sum(chosen.map((e) => sigmoid(logits[e]) * all[e][h * headDim + c])),
      );
    });
  };

  const prepared = (heads: Heads, weight: string, position: number): Heads =>
    heads.map((head) => turned(qkNorm ? normed(head, weight) : head, position));
  const queries = x.map((token, t) =>
    prepared(gatedAt("G4", token, chunks(project("qProj.weight", token), headDim)), "qNorm.weight", t),
  );
  const keys = x.map((token, t) => prepared(gatedAt("G3", token, keysOrValues("kProj", token)), "kNorm.weight", t));
  const values = x.map((token) => gatedAt("G2", token, keysOrValues("vProj", token)));

  return x.map((token, t) => {
    const y = queries[t].map((query, h) => {
      const kv = Math.floor(h / (nHeads / nKvHeads));
      const powers = x.slice(0, t + 1).map((_, s) => Math.exp(dot(query, keys[s][kv]) / Math.sqrt(headDim)));
      return Array.from({ length: headDim }, (_, c) => sum(powers.map((p, s) => p * values[s][kv][c])) / sum(powers));
    });
    const controlled = y.map((head) => {
      if (control === "rmsnorm") return normed(head, "outputNorm.weight");
      return control === "silu" ? head.map(scoreFunctions.silu) : head;
    });
    const output = project("oProj.weight", gatedAt("G1", token, controlled).flat());
    return gatedAt("G5", token, [output])[0];
  });
}

const plus = (a: Vector, b: Vector): Vector => a.map((v, i) => v + b[i]);

/** Logits [n][vocabSize] of one sequence of ids, of a model with dense feed-forwards. */
export function modelByLoops(model: TransformerLM, ids: Vector): Vector[] {
  const { eps = 1e-6, clip = Number.POSITIVE_INFINITY, outNorm, tied = true, learnedPositions } = model.options;
  const rows = (name: string): Vector[] => getParameter(model, name).toArray() as unknown as Vector[];
  const project = (name: string, v: Vector): Vector => rows(`${name}.weight`).map((row) => dot(row, v));
  const normed = (name: string, v: Vector): Vector => {
    const scale = 1 / Math.sqrt(sum(v.map((e) => e * e)) / v.length + eps);
    const weight = Array.from(getParameter(model, `${name}.weight`).dataSync());
    return v.map((e, i) => e * scale * weight[i]);
  };
  /** x + f(x), f clipped and normalised where asked. */
  const branch = (name: string, x: readonly Vector[], f: readonly Vector[]): Vector[] =>
    f.map((v, t) => {
      const clipped = v.map((e) => Math.min(Math.max(e, -clip), clip));
      return plus(x[t], outNorm === "sandwich" ? normed(`${name}OutNorm`, clipped) : clipped);
    });
  const feedForward = (name: string, v: Vector): Vector => {
    const up = project(`${name}.upProj`, v);
    const hidden = project(`${name}.gateProj`, v).map((e, i) => e * sigmoid(e) * up[i]);
    return project(`${name}.downProj`, hidden);
  };
  let x: Vector[] = ids.map((id) => rows("embedTokens.weight")[id]);
  if (learnedPositions !== undefined) x = x.map((v, t) => plus(v, rows("positions.weight")[t]));
  model.layers.forEach((layer, i) => {
    const at = `layers.${i}`;
    const input = x.map((v) => normed(`${at}.inputLayernorm`, v));
    x = branch(`${at}.selfAttn`, x, attentionByLoops(layer.selfAttn, model.options, input));
    const second = x.map((v) => feedForward(`${at}.mlp`, normed(`${at}.postAttentionLayernorm`, v)));
    x = branch(`${at}.mlp`, x, second);
  });
  return x.map((v) => project(tied ? "embedTokens" : "lmHead", normed("norm", v)));
}
