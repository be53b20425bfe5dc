// A WebAssembly assembler: modules and functions as typed calls in, valid binary out. Knows nothing of tensors.

import { Bytes } from "./bytes.ts";
import {
  type LaneOpcode,
  type MemoryLaneOpcode,
  type MemoryOpcode,
  naturalAlign,
  type Opcode,
  opcode,
  prefixed,
} from "./opcodes.ts";

export type { LaneOpcode, MemoryLaneOpcode, MemoryOpcode, Opcode } from "./opcodes.ts";

export type ValType = "i32" | "i64" | "f32" | "f64" | "v128";

const valTypes: Record<ValType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

const numberBytes = new Uint8Array(8);
const numbers = new DataView(numberBytes.buffer);

/**
 * The body of one function. Parameters are locals 0..n-1; further locals may be declared at any time. Methods return
 * the builder, so that short sequences chain.
 */
export class FunctionBuilder {
  private code = new Bytes();
  private readonly prologue = new Bytes();
  private readonly params: number;
  private readonly locals: ValType[] = [];

  constructor(params: number) {
    this.params = params;
  }

  local(type: ValType): number {
    this.locals.push(type);
    return this.params + this.locals.length - 1;
  }

  get(local: number): this {
    this.code.u8(0x20).u32(local);
    return this;
  }
  set(local: number): this {
    this.code.u8(0x21).u32(local);
    return this;
  }
  tee(local: number): this {
    this.code.u8(0x22).u32(local);
    return this;
  }
  globalGet(global: number): this {
    this.code.u8(0x23).u32(global);
    return this;
  }
  globalSet(global: number): this {
    this.code.u8(0x24).u32(global);
    return this;
  }

  i32(value: number): this {
    this.code.u8(0x41).s32(value);
    return this;
  }
  i64(value: bigint): this {
    this.code.u8(0x42).s64(value);
    return this;
  }
  f32(value: number): this {
    numbers.setFloat32(0, value, true);
    this.code.u8(0x43).append(numberBytes.subarray(0, 4));
    return this;
  }
  f64(value: number): this {
    numbers.setFloat64(0, value, true);
    this.code.u8(0x44).append(numberBytes);
    return this;
  }
  /** A 16-byte constant. In loops prefer a local loaded from memory: V8 rebuilds constants at each use. */
  v128const(bytes: Uint8Array): this {
    this.code.u8(0xfd, 0x0c).append(bytes);
    return this;
  }

  private opcode(number: number): void {
    if (number < prefixed) this.code.u8(number);
    else this.code.u8(Math.floor(number / prefixed)).u32(number % prefixed);
  }

  op(name: Opcode): this {
    this.opcode(opcode(name));
    return this;
  }

  private memory(name: MemoryOpcode | MemoryLaneOpcode, offset: number, align: number | undefined): this {
    this.opcode(opcode(name));
    this.code.u32(align ?? naturalAlign(name)).u32(offset);
    return this;
  }

  /** A load; `align` is a log2 (default: the natural one, a hint only). */
  load(name: MemoryOpcode, offset = 0, align?: number): this {
    return this.memory(name, offset, align);
  }
  store(name: MemoryOpcode, offset = 0, align?: number): this {
    return this.memory(name, offset, align);
  }
  atomic(name: MemoryOpcode, offset = 0): this {
    return this.memory(name, offset, undefined);
  }
  memoryLane(name: MemoryLaneOpcode, lane: number, offset = 0, align?: number): this {
    this.memory(name, offset, align);
    this.code.u8(lane);
    return this;
  }
  lane(name: LaneOpcode, lane: number): this {
    this.opcode(opcode(name));
    this.code.u8(lane);
    return this;
  }
  /** Byte i of the result is byte lanes[i] of the 32 bytes of both operands. */
  shuffle(lanes: readonly number[]): this {
    this.code.u8(0xfd, 0x0d, ...lanes);
    return this;
  }
  /** (destination, source, bytes) */
  memoryCopy(): this {
    this.code.u8(0xfc, 0x0a, 0, 0);
    return this;
  }
  /** (destination, byte, bytes) */
  memoryFill(): this {
    this.code.u8(0xfc, 0x0b, 0);
    return this;
  }

  /** Emits `body` before everything else: for constants whose need shows later. */
  before(body: () => void): this {
    const { code } = this;
    this.code = this.prologue;
    body();
    this.code = code;
    return this;
  }

  private structured(opening: number, body: () => void, result?: ValType): this {
    this.code.u8(opening, result === undefined ? 0x40 : valTypes[result]);
    body();
    this.code.u8(0x0b);
    return this;
  }
  block(body: () => void, result?: ValType): this {
    return this.structured(0x02, body, result);
  }
  loop(body: () => void): this {
    return this.structured(0x03, body);
  }
  /** Takes an i32 condition. */
  if(body: () => void, otherwise?: () => void, result?: ValType): this {
    return this.structured(
      0x04,
      () => {
        body();
        if (otherwise === undefined) return;
        this.code.u8(0x05);
        otherwise();
      },
      result,
    );
  }
  br(depth: number): this {
    this.code.u8(0x0c).u32(depth);
    return this;
  }
  brIf(depth: number): this {
    this.code.u8(0x0d).u32(depth);
    return this;
  }
  call(index: number): this {
    this.code.u8(0x10).u32(index);
    return this;
  }
  ret(): this {
    this.code.u8(0x0f);
    return this;
  }
  unreachable(): this {
    this.code.u8(0x00);
    return this;
  }

  /** The finished body with its local declarations. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const runs: { type: ValType; count: number }[] = [];
    for (const type of this.locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count += 1;
      else runs.push({ type, count: 1 });
    }
    const bytes = new Bytes().u32(runs.length);
    for (const { type, count } of runs) bytes.u32(count).u8(valTypes[type]);
    return bytes.append(this.prologue.view()).append(this.code.view()).u8(0x0b).view();
  }
}

export interface MemoryLimits {
  /** In pages of 64 KiB. */
  readonly min: number;
  readonly max?: number;
  readonly shared?: boolean;
}

/** A module under construction: imports first, then functions, then `toBytes`. */
export class ModuleBuilder {
  private readonly types: string[] = [];
  private readonly typeBytes = new Bytes();
  private readonly imports = new Bytes();
  private importCount = 0;
  private readonly signatures: number[] = [];
  private readonly bodies: Uint8Array[] = [];
  private readonly exports = new Bytes();
  private exportCount = 0;
  private readonly globals = new Bytes();
  private globalCount = 0;

  private typeOf(params: readonly ValType[], results: readonly ValType[]): number {
    const key = `${params.join()}:${results.join()}`;
    const known = this.types.indexOf(key);
    if (known >= 0) return known;
    this.typeBytes.u8(0x60);
    for (const list of [params, results]) this.typeBytes.u32(list.length).u8(...list.map((type) => valTypes[type]));
    return this.types.push(key) - 1;
  }

  importMemory(module: string, name: string, limits: MemoryLimits): void {
    this.imports.name(module).name(name).u8(0x02);
    this.imports.u8((limits.max === undefined ? 0 : 1) | (limits.shared ? 2 : 0)).u32(limits.min);
    if (limits.max !== undefined) this.imports.u32(limits.max);
    this.importCount += 1;
  }

  /** A mutable i32 global; returns its index. */
  global(initial: number): number {
    this.globals.u8(valTypes.i32, 1, 0x41).s32(initial).u8(0x0b);
    return this.globalCount++;
  }

  /** Defines a function and returns its index; the body may define further functions. */
  func(
    name: string,
    params: readonly ValType[],
    results: readonly ValType[],
    body: (f: FunctionBuilder) => void,
    options: { readonly export?: boolean } = {},
  ): number {
    const index = this.signatures.push(this.typeOf(params, results)) - 1;
    const builder = new FunctionBuilder(params.length);
    body(builder);
    this.bodies[index] = builder.toBytes();
    if (options.export) {
      this.exports.name(name).u8(0x00).u32(index);
      this.exportCount += 1;
    }
    return index;
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    const functions = new Bytes().u32(this.signatures.length);
    for (const type of this.signatures) functions.u32(type);
    const code = new Bytes().u32(this.bodies.length);
    for (const body of this.bodies) code.sized(body);
    const counted = (count: number, bytes: Bytes) => new Bytes().u32(count).append(bytes.view());
    const out = new Bytes().u8(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    const section = (id: number, bytes: Bytes) => out.u8(id).sized(bytes.view());
    section(1, counted(this.types.length, this.typeBytes));
    section(2, counted(this.importCount, this.imports));
    section(3, functions);
    section(6, counted(this.globalCount, this.globals));
    section(7, counted(this.exportCount, this.exports));
    section(10, code);
    return out.view().slice();
  }
}
