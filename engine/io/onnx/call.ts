// One node about to run, as an operator's row sees it. It keeps track of what was asked for: an input or attribute that
// a row does not know is an error, never ignored.

import { DataError } from "../../errors.ts";
import { cast } from "../../ops/elementwise.ts";
import { resolveAxis } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { type ElementType, elementType, elementTypeOf, nameOfCode } from "./element-types.ts";
import { UnsupportedOnnxError } from "./errors.ts";
import type { Attribute, Graph, GraphNode } from "./graph.ts";
import { settle, Value } from "./values.ts";

type Kind = Attribute["kind"];
type Content<K extends Kind> = Extract<Attribute, { readonly kind: K }>["value"];

export type Awaitable<T> = T | Promise<T>;
/** What a node gives: one value, or one per output (undefined for one that it leaves out). */
export type Output = Awaitable<Value | readonly Awaitable<Value | undefined>[]>;
/** How an operator is computed. */
export type Row = (call: Call) => Output;

export interface CallOptions {
  readonly node: GraphNode;
  readonly opset: number;
  readonly inputs: readonly (Value | undefined)[];
  /** With references resolved. */
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** Runs a graph of an attribute. */
  readonly run: (graph: Graph, inputs: readonly Value[]) => Promise<Value[]>;
}

export class Call {
  readonly op: string;
  /** Version of the operator set the model was written for. */
  readonly opset: number;
  readonly run: CallOptions["run"];
  readonly #inputs: readonly (Value | undefined)[];
  readonly #outputs: readonly string[];
  readonly #attributes: ReadonlyMap<string, Attribute>;
  readonly #asked = new Set<string>();
  readonly #taken = new Set<number>();

  constructor({ node, opset, inputs, attributes, run }: CallOptions) {
    this.op = node.op;
    this.opset = opset;
    this.run = run;
    this.#inputs = inputs;
    this.#outputs = node.outputs;
    this.#attributes = attributes;
  }

  /** How many inputs are listed, those left out included. */
  get count(): number {
    return this.#inputs.length;
  }

  /** How many outputs are listed. */
  get outputs(): number {
    return this.#outputs.length;
  }

  /** Whether output i is asked for. */
  wants(i: number): boolean {
    return (this.#outputs[i] ?? "") !== "";
  }

  optional(i: number): Value | undefined {
    this.#taken.add(i);
    return this.#inputs[i];
  }

  input(i: number): Value {
    const value = this.optional(i);
    if (value === undefined) throw new DataError(this.where, `input ${i} is missing`);
    return value;
  }

  /** All inputs, from the i-th on. */
  rest(i = 0): Value[] {
    return this.#inputs.slice(i).map((_, at) => this.input(i + at));
  }

  /** The tensor of an input, in the dtype that carries it. */
  tensor(i: number): Tensor {
    return this.input(i).tensor;
  }

  maybeTensor(i: number): Tensor | undefined {
    return this.optional(i)?.tensor;
  }

  /** The whole numbers of an input that says how (a shape, axes). */
  async integers(i: number): Promise<number[]> {
    return Array.from(await this.input(i).numbers());
  }

  /** The only number of an input. */
  async scalar(i: number): Promise<number> {
    const values = await this.input(i).numbers();
    if (values.length !== 1) throw new DataError(this.where, `input ${i} must be one number, has ${values.length}`);
    return values[0];
  }

  #attribute<K extends Kind>(name: string, kind: K): Content<K> | undefined {
    this.#asked.add(name);
    const found = this.#attributes.get(name);
    if (found === undefined) return undefined;
    if (found.kind !== kind) throw new DataError(this.where, `attribute ${name} must be ${kind}, is ${found.kind}`);
    return found.value as Content<K> | undefined;
  }

  has(name: string): boolean {
    return this.#attributes.has(name);
  }

  int(name: string): number | undefined;
  int(name: string, otherwise: number): number;
  int(name: string, otherwise?: number): number | undefined {
    return this.#attribute(name, "int") ?? otherwise;
  }

  flag(name: string, otherwise = false): boolean {
    return this.int(name, otherwise ? 1 : 0) !== 0;
  }

  float(name: string): number | undefined;
  float(name: string, otherwise: number): number;
  float(name: string, otherwise?: number): number | undefined {
    return this.#attribute(name, "float") ?? otherwise;
  }

  string(name: string): string | undefined;
  string(name: string, otherwise: string): string;
  string(name: string, otherwise?: string): string | undefined {
    return this.#attribute(name, "string") ?? otherwise;
  }

  ints(name: string): readonly number[] | undefined;
  ints(name: string, otherwise: readonly number[]): readonly number[];
  ints(name: string, otherwise?: readonly number[]): readonly number[] | undefined {
    return this.#attribute(name, "ints") ?? otherwise;
  }

  floats(name: string): readonly number[] | undefined {
    return this.#attribute(name, "floats");
  }

  strings(name: string): readonly string[] | undefined {
    return this.#attribute(name, "strings");
  }

  constant(name: string): Value | undefined {
    return this.#attribute(name, "tensor");
  }

  graph(name: string): Graph | undefined {
    return this.#attribute(name, "graph");
  }

  needed<T>(value: T | undefined, what: string): T {
    if (value === undefined) throw new DataError(this.where, `${what} is missing`);
    return value;
  }

  /** One of the values a string attribute may have. */
  choice<const C extends readonly string[]>(name: string, choices: C, otherwise: C[number]): C[number] {
    const value = this.string(name, otherwise);
    if (choices.includes(value)) return value;
    return this.unsupported(`attribute ${name} = "${value}" (known: ${choices.join(", ")})`);
  }

  /** The element type an attribute names by number. */
  type(name: string): ElementType | undefined {
    const code = this.int(name);
    if (code === undefined) return undefined;
    return elementTypeOf(code) ?? this.unsupported(`attribute ${name} = ${nameOfCode(code)}`);
  }

  axis(name: string, otherwise: number, rank: number): number {
    return resolveAxis(this.where, this.int(name, otherwise), rank);
  }

  /** Axes an operator got as an attribute before opset `since` and gets as input i from then on. */
  async axes(i: number, since: number, name = "axes"): Promise<readonly number[] | undefined> {
    if (this.opset < since) return this.ints(name);
    return this.optional(i) === undefined ? undefined : this.integers(i);
  }

  /** A computed tensor as a value of a type (a name, or the type of input i). */
  as(type: ElementType | string | number, result: Tensor): Promise<Value> {
    return settle(this.#type(type), result);
  }

  /** As `as`, for elements that come unchanged from values of that type. */
  kept(type: ElementType | string | number, result: Tensor): Promise<Value> {
    return settle(this.#type(type), result, true);
  }

  bool(result: Tensor): Value {
    return new Value(elementType("bool"), cast(result, "bool"));
  }

  /** Positions and counts, which are int64 in ONNX. */
  int64(result: Tensor): Value {
    return new Value(elementType("int64"), cast(result, "i32"));
  }

  #type(type: ElementType | string | number): ElementType {
    if (typeof type === "number") return this.input(type).type;
    return typeof type === "string" ? elementType(type) : type;
  }

  /** The operator and its version, for messages. */
  get where(): string {
    return `${this.op} (opset ${this.opset})`;
  }

  unsupported(what: string): never {
    throw new UnsupportedOnnxError(this.where, `${what} is not supported`);
  }

  /** Throws where the node says something its row never looked at. */
  checkAllRead(): void {
    for (const name of this.#attributes.keys()) {
      if (!this.#asked.has(name)) this.unsupported(`attribute ${name}`);
    }
    this.#inputs.forEach((value, i) => {
      if (value !== undefined && !this.#taken.has(i)) this.unsupported(`input ${i}`);
    });
  }
}
