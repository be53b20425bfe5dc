// Attention of every kind in the ONNX table against loops over queries and keys.

import fc from "fast-check";
import { beforeAll, test } from "vitest";
import { setBackend } from "../../../engine/index.ts";
import { type Attributes, type Given, given, runNode, runOne } from "./build.ts";
import { expectClose, forAll, numbers } from "./check.ts";
import { at, build, type Plain, range, softmax, sum } from "./plain.ts";

beforeAll(() => setBackend("wasm"));

const small = (max: number) => fc.integer({ min: 1, max });

/** What a query sees, and all that the operator may be asked for. */
interface Question {
  readonly q: Given;
  readonly k: Given;
  readonly v: Given;
  readonly past: { readonly k: Given; readonly v: Given } | undefined;
  readonly mask: Given | undefined;
  readonly causal: boolean;
  readonly softcap: number;
  readonly window: readonly [left: number, right: number];
  readonly mode: number;
}

const questions: fc.Arbitrary<Question> = fc
  .record({
    batch: small(2),
    kvHeads: small(2),
    group: small(3),
    queries: small(4),
    keys: small(4),
    before: fc.nat(3),
    d: small(4),
    e: small(3),
    kind: fc.constantFrom("none", "bool", "float"),
    causal: fc.boolean(),
    softcap: fc.constantFrom(0, 2.5),
    window: fc.tuple(fc.integer({ min: -1, max: 2 }), fc.integer({ min: -1, max: 2 })),
    mode: fc.nat(3),
  })
  .chain(({ batch, kvHeads, group, queries, keys, before, d, e, kind, ...rest }) => {
    const all = before + keys;
    const mask =
      kind === "none"
        ? fc.constant(undefined)
        : kind === "float"
          ? numbers([queries, all])
          : fc
              .array(fc.boolean(), { minLength: queries * all, maxLength: queries * all })
              .map((bits): Given => given([queries, all], bits.map(Number), "bool"));
    const past =
      before === 0
        ? fc.constant(undefined)
        : fc.record({ k: numbers([batch, kvHeads, before, d]), v: numbers([batch, kvHeads, before, e]) });
    return fc.record({
      q: numbers([batch, kvHeads * group, queries, d]),
      k: numbers([batch, kvHeads, keys, d]),
      v: numbers([batch, kvHeads, keys, e]),
      past,
      mask,
      ...Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, fc.constant(value)])),
    }) as fc.Arbitrary<Question>;
  });

/** The keys of the cache, then the new ones. */
function joined(past: Plain | undefined, fresh: Plain): Plain {
  const before = past?.shape[2] ?? 0;
  return build(fresh.shape.with(2, before + fresh.shape[2]), ([b, h, t, i]) =>
    t < before ? at(past as Plain, b, h, t, i) : at(fresh, b, h, t - before, i),
  );
}

function expected({ q, k, v, past, mask, causal, softcap, window, mode }: Question) {
  const [batch, heads, queries, d] = q.shape;
  const [keys, values] = [joined(past?.k, k), joined(past?.v, v)];
  const [all, before, group] = [keys.shape[2], past?.k.shape[2] ?? 0, heads / k.shape[1]];
  const visible = (i: number, j: number): boolean =>
    !(causal && j > i + before) &&
    !(window[0] >= 0 && j < i + before - window[0]) &&
    !(window[1] >= 0 && j > i + before + window[1]) &&
    !(mask?.type === "bool" && at(mask, i, j) === 0);
  const raw = build([batch, heads, queries, all], ([b, h, i, j]) => {
    const terms = range(d).map((l) => at(q, b, h, i, l) * at(keys, b, Math.floor(h / group), j, l));
    return sum(terms) / Math.sqrt(d);
  });
  const capped = { ...raw, data: raw.data.map((x) => (softcap === 0 ? x : softcap * Math.tanh(x / softcap))) };
  const scores = build(raw.shape, ([b, h, i, j]) => {
    const added = mask?.type === "float" ? at(mask, i, j) : 0;
    return visible(i, j) ? at(capped, b, h, i, j) + added : Number.NEGATIVE_INFINITY;
  });
  const weights = build(raw.shape, ([b, h, i, j]) => softmax(range(all).map((l) => at(scores, b, h, i, l)))[j]);
  const y = build([batch, heads, queries, v.shape[3]], ([b, h, i, e]) =>
    sum(range(all).map((j) => at(weights, b, h, i, j) * at(values, b, Math.floor(h / group), j, e))),
  );
  return { y, keys, values, shown: [raw, capped, scores, weights][mode] };
}

/** [B, H, T, D] as the model with three axes takes it: [B, T, H * D]. */
const packed = (x: Plain): Given => {
  const [batch, heads, steps, d] = x.shape;
  return given(
    [batch, steps, heads * d],
    [...build([batch, steps, heads * d], ([b, t, i]) => at(x, b, Math.floor(i / d), t, i % d)).data],
  );
};

test("Attention: shared heads, caches, masks, windows, soft caps, what it shows of its scores; in both layouts", () =>
  forAll(
    questions,
    async (question) => {
      const { q, k, v, past, mask, causal, softcap, window, mode } = question;
      const want = expected(question);
      const attributes: Attributes = {
        is_causal: Number(causal),
        softcap: { float: softcap },
        left_window_size: window[0],
        right_window_size: window[1],
        qk_matmul_output_mode: mode,
      };
      const rest = [mask ?? null, past?.k ?? null, past?.v ?? null];
      const [y, keys, values, shown] = await runNode("Attention", [q, k, v, ...rest], {
        opset: 25,
        outputs: 4,
        attributes,
      });
      expectClose(y, want.y, 1e-4);
      expectClose(keys, want.keys, 0);
      expectClose(values, want.values, 0);
      expectClose(shown, want.shown, 1e-4);
      const heads = { q_num_heads: q.shape[1], kv_num_heads: k.shape[1] };
      const flat = await runOne("Attention", [packed(q), packed(k), packed(v), ...rest], {
        opset: 25,
        attributes: { ...attributes, ...heads },
      });
      expectClose(flat, packed(want.y), 1e-4);
    },
    30,
  ));

test("Attention over a static cache: only what is valid is seen, and causally from its end", () =>
  forAll(
    fc
      .tuple(small(3), fc.integer({ min: 2, max: 5 }), fc.boolean())
      .chain(([queries, keys, causal]) =>
        fc.tuple(
          numbers([2, 1, queries, 3]),
          numbers([2, 1, keys, 3]),
          fc.tuple(small(keys), small(keys)),
          fc.constant(causal),
        ),
      ),
    async ([q, k, lengths, causal]) => {
      const [, , queries, d] = q.shape;
      const want = build(q.shape, ([b, , i, e]) => {
        const seen = range(k.shape[2]).map((j) => j < lengths[b] && (!causal || j <= i + lengths[b] - queries));
        const scores = seen.map((yes, j) =>
          yes
            ? sum(range(d).map((l) => at(q, b, 0, i, l) * at(k, b, 0, j, l))) / Math.sqrt(d)
            : Number.NEGATIVE_INFINITY,
        );
        return sum(softmax(scores).map((weight, j) => weight * at(k, b, 0, j, e)));
      });
      const inputs = [q, k, k, null, null, null, given([2], lengths, "int64")];
      expectClose(
        await runOne("Attention", inputs, { opset: 24, attributes: { is_causal: Number(causal) } }),
        want,
        1e-4,
      );
    },
  ));

test("RotaryEmbedding: halves or neighbours, the first features only, positions from a table", () =>
  forAll(
    fc
      .tuple(small(2), small(3), small(2), fc.integer({ min: 1, max: 3 }), fc.nat(2), fc.boolean(), fc.boolean())
      .chain(([batch, steps, heads, half, rest, interleaved, table]) =>
        fc.tuple(
          numbers([batch, heads, steps, 2 * half + 2 * rest]),
          numbers(table ? [5, half] : [batch, steps, half]),
          numbers(table ? [5, half] : [batch, steps, half]),
          fc.array(fc.nat(4), { minLength: batch * steps, maxLength: batch * steps }),
          fc.constant({ interleaved, table, half }),
        ),
      ),
    async ([x, cos, sin, ids, { interleaved, table, half }]) => {
      const [batch, , steps] = x.shape;
      const pick = (cache: Plain, b: number, t: number, i: number): number =>
        table ? at(cache, ids[b * steps + t], i) : at(cache, b, t, i);
      const want = build(x.shape, ([b, h, t, i]) => {
        if (i >= 2 * half) return at(x, b, h, t, i);
        const pair = interleaved ? Math.floor(i / 2) : i % half;
        const second = interleaved ? i % 2 === 1 : i >= half;
        const [u, v] = (interleaved ? [2 * pair, 2 * pair + 1] : [pair, pair + half]).map((j) => at(x, b, h, t, j));
        const [c, s] = [pick(cos, b, t, pair), pick(sin, b, t, pair)];
        return second ? s * u + c * v : c * u - s * v;
      });
      const inputs = [x, cos, sin, ...(table ? [given([batch, steps], ids, "int64")] : [])];
      const attributes = { interleaved: Number(interleaved), rotary_embedding_dim: 2 * half };
      expectClose(await runOne("RotaryEmbedding", inputs, { attributes }), want);
    },
  ));

test("LinearAttention: all rules, shared heads, a state that goes on", () =>
  forAll(
    fc
      .record({
        batch: small(2),
        heads: small(2),
        group: small(2),
        steps: small(4),
        d: small(3),
        e: small(3),
        rule: fc.constantFrom("linear", "gated", "delta", "gated_delta"),
        wide: fc.boolean(),
      })
      .chain(({ batch, heads, group, steps, d, e, rule, wide }) =>
        fc.tuple(
          numbers([batch, steps, heads * group * d]),
          numbers([batch, steps, heads * d]),
          numbers([batch, steps, heads * e]),
          numbers([batch, heads, d, e]),
          numbers([batch, steps, wide ? heads * d : heads]),
          numbers([batch, steps, wide ? heads : 1]),
          fc.constant({ heads, group, d, e, rule, wide }),
        ),
      ),
    async ([q, k, v, past, decay, beta, { heads, group, d, e, rule, wide }]) => {
      const [batch, steps] = q.shape;
      // Gentle gates and rates, so that states stay of moderate size.
      const tamed = (x: Given): Given => ({ ...x, data: x.data.map((value) => Math.fround(-Math.abs(value) / 8)) });
      const gate = tamed(decay);
      const rate = { ...tamed(beta), data: tamed(beta).data.map((value) => Math.fround(-value / 2)) };
      const scaled = (x: Given): Given => ({ ...x, data: x.data.map((value) => value / 4) });
      const [query, key] = [scaled(q), scaled(k)];
      const state = build([batch, heads, d, e], (index) => at(past, ...index));
      const s = [...state.data];
      const slot = (b: number, h: number, i: number, j: number): number => ((b * heads + h) * d + i) * e + j;
      const y = new Array<number>(batch * steps * heads * group * e).fill(0);
      for (let t = 0; t < steps; t++)
        for (let b = 0; b < batch; b++)
          for (let h = 0; h < heads; h++) {
            const keyAt = (i: number): number => at(key, b, t, h * d + i);
            if (rule.startsWith("gated"))
              for (const i of range(d))
                for (const j of range(e)) s[slot(b, h, i, j)] *= Math.exp(at(gate, b, t, wide ? h * d + i : h));
            const written = range(e).map((j) => {
              const value = at(v, b, t, h * e + j);
              if (!rule.endsWith("delta")) return value;
              return at(rate, b, t, wide ? h : 0) * (value - sum(range(d).map((i) => s[slot(b, h, i, j)] * keyAt(i))));
            });
            for (const i of range(d)) for (const j of range(e)) s[slot(b, h, i, j)] += keyAt(i) * written[j];
            for (const g of range(group))
              for (const j of range(e)) {
                const head = h * group + g;
                const terms = range(d).map((i) => at(query, b, t, head * d + i) * s[slot(b, h, i, j)]);
                y[(b * steps + t) * heads * group * e + head * e + j] = sum(terms) / Math.sqrt(d);
              }
          }
      const inputs = [
        query,
        key,
        v,
        past,
        rule.startsWith("gated") ? gate : null,
        rule.endsWith("delta") ? rate : null,
      ];
      const attributes = { q_num_heads: heads * group, kv_num_heads: heads, update_rule: rule };
      const [output, present] = await runNode("LinearAttention", inputs, { opset: 27, outputs: 2, attributes });
      expectClose(output, { shape: [batch, steps, heads * group * e], data: y }, 5e-4);
      expectClose(present, { shape: [batch, heads, d, e], data: s }, 5e-4);
    },
    20,
  ));

test("CausalConvWithState: a sequence in two parts is the sequence as a whole", () =>
  forAll(
    fc
      .tuple(small(2), small(3), small(4), small(4), small(4))
      .chain(([n, c, k, first, second]) =>
        fc.tuple(numbers([n, c, first + second]), numbers([c, 1, k]), numbers([c]), fc.constant(first)),
      ),
    async ([x, w, bias, first]) => {
      const [n, c, length] = x.shape;
      const k = w.shape[2];
      const want = build(x.shape, ([b, ch, t]) => {
        const terms = range(k).map((i) => (t - k + 1 + i < 0 ? 0 : at(x, b, ch, t - k + 1 + i) * at(w, ch, 0, i)));
        const z = sum(terms) + bias.data[ch];
        return z / (1 + Math.exp(-z));
      });
      const part = (from: number, to: number): Given =>
        given([n, c, to - from], [...build([n, c, to - from], ([b, ch, t]) => at(x, b, ch, from + t)).data]);
      const options = { opset: 27, outputs: 2, attributes: { activation: "silu" } };
      const [head, state] = await runNode("CausalConvWithState", [part(0, first), w, bias], options);
      const [tail] = await runNode("CausalConvWithState", [part(first, length), w, bias, state as Given], options);
      const both = build(x.shape, ([b, ch, t]) => (t < first ? at(head, b, ch, t) : at(tail, b, ch, t - first)));
      expectClose(both, want, 1e-4);
    },
  ));
