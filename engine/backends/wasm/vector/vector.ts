// Three-address vector code: every operation reads locals and leaves its result in a local. V8 turns locals into
// registers, so this costs nothing; what matters is that constants are loaded once, before all loops.

import type { FunctionBuilder, Opcode, ValType } from "../assembler/asm.ts";
import type { Env } from "./env.ts";

export type Local = number;

export class Vector {
  readonly f: FunctionBuilder;
  readonly env: Env;
  private readonly constants = new Map<string, Local>();
  private readonly splats = {
    f32: new Map<number, Local>(),
    f64: new Map<number, Local>(),
    i32: new Map<number, Local>(),
  };
  private readonly idle: Record<ValType, Local[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  private taken: (readonly [ValType, Local])[] = [];

  constructor(f: FunctionBuilder, env: Env) {
    this.f = f;
    this.env = env;
  }

  /** A local of this type; inside `scope` it is reused after the scope. Its contents are undefined. */
  fresh(type: ValType = "v128"): Local {
    const local = this.idle[type].pop() ?? this.f.local(type);
    this.taken.push([type, local]);
    return local;
  }

  /** Runs `body`; locals it made are free again afterwards (the function's frame stays small for the baseline tier). */
  scope<T>(body: () => T): T {
    const outer = this.taken;
    this.taken = [];
    const result = body();
    for (const [type, local] of this.taken) this.idle[type].push(local);
    this.taken = outer;
    return result;
  }

  /** One result that outlives the scope in which `body` computes it. */
  local(body: () => Local, type: ValType = "v128"): Local {
    const result = this.fresh(type);
    this.scope(() => this.f.get(body()).set(result));
    return result;
  }

  op(name: Opcode, ...args: readonly Local[]): Local {
    for (const arg of args) this.f.get(arg);
    const result = this.fresh();
    this.f.op(name).set(result);
    return result;
  }

  shift(name: Opcode, a: Local, bits: number): Local {
    const result = this.fresh();
    this.f.get(a).i32(bits).op(name).set(result);
    return result;
  }

  /** mask ? a : b, bit by bit. */
  select(mask: Local, a: Local, b: Local): Local {
    return this.op("v128.bitselect", a, b, mask);
  }

  shuffle(a: Local, b: Local, bytes: readonly number[]): Local {
    const result = this.fresh();
    this.f.get(a).get(b).shuffle(bytes).set(result);
    return result;
  }

  private constant(type: "f32" | "f64" | "i32", lanes: readonly number[]): Local {
    const key = `${type}:${lanes.map((lane) => (Object.is(lane, -0) ? "-0" : lane)).join()}`;
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const local = this.f.local("v128");
    this.constants.set(key, local);
    const address = this.env.heap.constant(type, ...lanes);
    this.f.before(() => {
      if (address !== undefined) this.f.i32(0).load("v128.load", address);
      else if (type === "f32") this.f.f32(lanes[0]).op("f32x4.splat");
      else if (type === "f64") this.f.f64(lanes[0]).op("f64x2.splat");
      else this.f.v128const(new Uint8Array(Int32Array.from([0, 1, 2, 3], (i) => lanes[i % lanes.length]).buffer));
      this.f.set(local);
    });
    return local;
  }

  private splat(type: "f32" | "f64" | "i32", value: number): Local {
    // A Map takes -0 for 0: the one constant that needs its longer name.
    if (Object.is(value, -0)) return this.constant(type, [value]);
    const known = this.splats[type].get(value) ?? this.constant(type, [value]);
    this.splats[type].set(value, known);
    return known;
  }

  f32(value: number): Local {
    return this.splat("f32", Math.fround(value));
  }
  f64(value: number): Local {
    return this.splat("f64", value);
  }
  /** The lanes are repeated to four. */
  i32(...lanes: readonly number[]): Local {
    return lanes.length === 1 ? this.splat("i32", lanes[0]) : this.constant("i32", lanes);
  }

  /** a * b + c in f32, fused where the machine may. */
  madd(a: Local, b: Local, c: Local): Local {
    if (this.env.fma) return this.op("f32x4.relaxed_madd", a, b, c);
    return this.op("f32x4.add", this.op("f32x4.mul", a, b), c);
  }
  madd64(a: Local, b: Local, c: Local): Local {
    if (this.env.fma) return this.op("f64x2.relaxed_madd", a, b, c);
    return this.op("f64x2.add", this.op("f64x2.mul", a, b), c);
  }

  private multiplyAdd(float: "f32" | "f64", a: Local, b: Local, c: Local): Local {
    return float === "f32" ? this.madd(a, b, c) : this.madd64(a, b, c);
  }

  /** Polynomial, lowest order first, by Horner's rule. */
  horner(x: Local, coefficients: readonly number[], float: "f32" | "f64" = "f32"): Local {
    const [last, ...rest] = coefficients.toReversed();
    return rest.reduce((sum, c) => this.multiplyAdd(float, sum, x, this[float](c)), this[float](last));
  }

  /** Polynomial, lowest order first, pairs first: a shorter chain (Estrin's scheme). */
  estrin(x: Local, coefficients: readonly number[], float: "f32" | "f64" = "f32"): Local {
    let terms = coefficients.map((c) => this[float](c));
    let power = x;
    while (terms.length > 1) {
      const next: Local[] = [];
      for (let i = 0; i < terms.length; i += 2) {
        next.push(i + 1 < terms.length ? this.multiplyAdd(float, terms[i + 1], power, terms[i]) : terms[i]);
      }
      terms = next;
      if (terms.length > 1) power = this.op(float === "f32" ? "f32x4.mul" : "f64x2.mul", power, power);
    }
    return terms[0];
  }

  /** Polynomial in f32, lowest order first: fused, the fewest instructions are fastest; else the shorter chain is. */
  polynomial(x: Local, coefficients: readonly number[]): Local {
    return this.env.fma ? this.horner(x, coefficients) : this.estrin(x, coefficients);
  }

  /** Runs `body` only when some lane of the mask is set. */
  whenAny(mask: Local, body: () => void): void {
    this.f.get(mask).op("v128.any_true");
    this.f.if(() => this.scope(body));
  }

  /** Upper two lanes of a four-lane vector as its lower two. */
  upper(a: Local): Local {
    return this.shuffle(a, a, [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
  }

  /** The lower halves of two vectors as one. */
  join(low: Local, high: Local): Local {
    return this.shuffle(low, high, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
  }
}
