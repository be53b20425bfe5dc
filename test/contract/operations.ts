// The operations under contract: everything `sluice` exports from engine/ops/, and how a sample of one is drawn.

import { readdirSync } from "node:fs";
import fc from "fast-check";
import * as S from "../../engine/index.ts";
import { dtypeOf, seeds, tensorOf, type View, type ViewOptions, valuesOf, views } from "../../testing/index.ts";
import { samples } from "../ops/samples/index.ts";
import type { Case } from "../ops/samples/sample.ts";

/** Modules of functions that make tensors, not operations on them; they have tests of their own. */
const makers = ["create.ts", "random.ts"];
const folder = new URL("../../engine/ops/", import.meta.url);
const modules = await Promise.all(
  readdirSync(folder)
    .filter((file) => !makers.includes(file))
    .map((file): Promise<Record<string, unknown>> => import(new URL(file, folder).href)),
);

/** Names of all operations. */
export const exported: readonly string[] = Object.entries(S).flatMap(([name, value]) =>
  typeof value === "function" && modules.some((module) => module[name] === value) ? [name] : [],
);

/** Those that have a sample: a test fails where one has not. */
export const operations: readonly string[] = exported.filter((name) => Object.hasOwn(samples, name));

/** A case, its inputs' views and their values' seed. */
export type Drawn = readonly [drawn: Case, through: readonly View[], seed: number];

export const cases = (name: string, maxSize: number, options: ViewOptions = {}): fc.Arbitrary<Drawn> =>
  samples[name](maxSize).chain((drawn) => {
    const distinct = drawn.distinct === true;
    const through = drawn.inputs.map(({ shape }) => views(shape, { ...options, distinct }));
    return fc.tuple(fc.constant(drawn), fc.tuple(...through), seeds);
  });

/** The tensors underneath the views. */
export const basesOf = ([drawn, through, seed]: Drawn, float: S.DType): S.Tensor[] =>
  drawn.inputs.map(({ domain }, i) => {
    const { base } = through[i];
    return tensorOf(valuesOf(domain, S.sizeOf(base), seed, i), base, dtypeOf(domain, float));
  });

/** The inputs of the case, seen through the views. */
export const inputsOf = (drawn: Drawn, float: S.DType): S.Tensor[] =>
  basesOf(drawn, float).map((base, i) => drawn[1][i].apply(base));

export const listOf = <T>(one: T | readonly T[]): readonly T[] => (Array.isArray(one) ? one : [one as T]);

export const describeCase = ([drawn, through]: Drawn): string =>
  `${drawn.label} through ${through.map((view) => view.name).join(", ")}`;
