// Loops over the result of a product become part of its kernel: a bias, an activation or a residual is then computed
// block by block, while the block is in the cache, and the product itself often needs no memory of its own.

import { sizeOf } from "../shape.ts";
import type { ContractKernel, EpilogueLoop, Kernel, KernelArg, KernelCall, LoopKernel } from "./ir.ts";
import { kernelKey } from "./key.ts";
import { mayFail } from "./order.ts";
import { bytesOf, overwritable, type Unplanned } from "./plan.ts";
import type { Target } from "./target.ts";
import { isIdentityAccess } from "./view.ts";

/** A call on its way through the pass. */
interface Item {
  /** Its place among the calls. */
  at: number;
  kernel: Kernel;
  args: readonly number[];
}

/** Positions of a product's arguments. */
const [left, right, result] = [0, 1, 2];

export function fuseEpilogues(program: Unplanned, target: Target): Unplanned {
  const items = program.calls.map(({ kernel, args }, at): Item => ({ at, kernel: program.kernels[kernel], args }));
  const fusion = new Fusion(program, items, target);
  for (const item of items) if (item.kernel.kind === "contract") fusion.fuse(item, item.kernel);
  return fusion.fused === 0 ? program : assemble(program, fusion.calls());
}

class Fusion {
  /** Loops that are part of a product now. */
  fused = 0;
  readonly #program: Unplanned;
  readonly #items: Set<Item>;
  readonly #target: Target;
  /** The calls that each buffer is an argument of. */
  readonly #uses: Set<Item>[];
  readonly #wanted: ReadonlySet<number>;
  readonly #failing: readonly Item[];

  constructor(program: Unplanned, items: readonly Item[], target: Target) {
    this.#program = program;
    this.#items = new Set(items);
    this.#target = target;
    this.#uses = program.buffers.map(() => new Set());
    for (const item of items) for (const buffer of item.args) this.#uses[buffer].add(item);
    this.#failing = items.filter(({ kernel }) => mayFail(kernel));
    this.#wanted = new Set([...program.inputs, ...program.outputs, ...program.copies.flat()]);
  }

  calls(): Item[] {
    return [...this.#items].sort((a, b) => a.at - b.at);
  }

  /** Makes the loops that read a product part of its kernel, as many as can be. */
  fuse(product: Item, kernel: ContractKernel): void {
    const c = product.args[result];
    const readers = [...this.#uses[c]].filter((item) => item.at > product.at).sort((a, b) => a.at - b.at);
    const loops: (readonly [Item, LoopKernel])[] = [];
    for (const reader of readers) {
      const loop = reader.kernel;
      if (loop.kind !== "loop" || !this.#runsOver(loop, reader.args, c) || !this.#target.epilogue(kernel, loop))
        continue;
      if (!this.#independent(product, loops, reader) || !this.#meet(product, reader, loops.length === 0)) continue;
      loops.push([reader, loop]);
    }
    if (loops.length === 0) return;
    const kept = this.#wanted.has(c) || loops.length < readers.length || this.#program.buffers[c].role !== "temporary";
    const made = composite(product, kernel, loops, kept, this.#program);
    this.fused += loops.length;
    for (const [item] of loops) {
      this.#items.delete(item);
      for (const buffer of item.args) this.#uses[buffer].delete(item);
    }
    if (!made.args.includes(c)) this.#uses[c].delete(product);
    for (const buffer of made.args) this.#uses[buffer].add(product);
    product.kernel = made.kernel;
    product.args = made.args;
  }

  /** Whether a loop is a map over the elements of buffer `c`, and takes each from its place there. */
  #runsOver({ axes, stages, args: modes }: LoopKernel, args: readonly number[], c: number): boolean {
    const [{ over, instrs, stores, folds, keeps }] = stages;
    // What may meet a wrong index stays where it was put: before the first update of state.
    if (instrs.some(({ op }) => op === "gather")) return false;
    if (stages.length > 1 || over !== "row" || folds.length + keeps.length > 0) return false;
    if (sizeOf(axes) !== this.#program.buffers[c].length || stores.some(({ add }) => add)) return false;
    const isC = (arg: number): boolean => args[arg] === c;
    return (
      args.every((_, arg) => !isC(arg) || modes[arg].mode === "read") &&
      instrs.every((instr) => {
        if (!("arg" in instr) || !isC(instr.arg)) return true;
        return instr.op === "load" && isIdentityAccess(instr.access);
      })
    );
  }

  /** Whether a loop leaves alone what the product reads, block after block, and what the loops before it work on. */
  #independent(product: Item, loops: readonly (readonly [Item, LoopKernel])[], reader: Item): boolean {
    const written = writesOf(reader);
    if (written.includes(product.args[left]) || written.includes(product.args[right])) return false;
    return loops.every(([other]) => !conflicts(other, reader));
  }

  /** Brings the loop to its product, or the first loop's product to it; false where the calls between forbid it. */
  #meet(product: Item, reader: Item, first: boolean): boolean {
    const apart = (item: Item): boolean => item.at > product.at && item.at < reader.at;
    const early = writesOf(reader).some((buffer) => this.#program.buffers[buffer].role === "state");
    // State is not written before everything that may fail has been.
    const free = !early || !this.#failing.some(apart);
    if (free && this.#between(reader, product, reader, [product.args[result]]).length === 0) return true;
    if (!first || this.#between(product, product, reader, []).length > 0) return false;
    // Operands that live on for it must not take more memory than the product that no longer waits for the loop.
    const { buffers } = this.#program;
    const longer = [...new Set([product.args[left], product.args[right]])].filter(
      (buffer) => buffers[buffer].role === "temporary" && [...this.#uses[buffer]].every(({ at }) => at < reader.at),
    );
    const bytes = longer.reduce((sum, buffer) => sum + bytesOf(buffers[buffer]), 0);
    if (bytes > bytesOf(buffers[product.args[result]])) return false;
    product.at = reader.at;
    return true;
  }

  /** The calls after `from` and before `to` that `moved` must not pass, buffers in `free` aside. */
  #between(moved: Item, from: Item, to: Item, free: readonly number[]): Item[] {
    return moved.args
      .filter((buffer) => !free.includes(buffer))
      .flatMap((buffer) => [...this.#uses[buffer]])
      .filter((item) => item.at > from.at && item.at < to.at && item !== moved && conflicts(item, moved));
  }
}

const modeOf = ({ kernel, args }: Item, buffer: number, mode: KernelArg["mode"]): boolean =>
  args.some((arg, i) => arg === buffer && kernel.args[i].mode !== mode);

const writesOf = (item: Item): number[] => item.args.filter((buffer) => modeOf(item, buffer, "read"));

/** Whether one writes what the other touches. */
const conflicts = (a: Item, b: Item): boolean =>
  writesOf(a).some((buffer) => b.args.includes(buffer)) || writesOf(b).some((buffer) => a.args.includes(buffer));

/** The kernel of a product and its loops, and its arguments. */
function composite(
  { args: [a, b, c] }: Item,
  kernel: ContractKernel,
  readers: readonly (readonly [Item, LoopKernel])[],
  kept: boolean,
  { buffers }: Unplanned,
): { readonly kernel: ContractKernel; readonly args: readonly number[] } {
  const held = kept ? c : (placeFor(c, readers, buffers) ?? c);
  const args = [a, b, held];
  const modes = [...kernel.args];
  const argOf = (buffer: number, { dtype, mode }: KernelArg): number => {
    if (buffer === c) return result;
    const at = args.indexOf(buffer);
    if (at < 0) {
      args.push(buffer);
      return modes.push({ dtype, mode }) - 1;
    }
    if (modes[at].mode !== mode) modes[at] = { dtype, mode: "readwrite" };
    return at;
  };
  const loops = readers.map(
    ([item, loop]): EpilogueLoop => ({
      loop,
      args: item.args.map((buffer, i) => argOf(buffer, loop.args[i])),
    }),
  );
  // What is stored over the product says what the argument holds in the end.
  modes[result] = { dtype: buffers[held].dtype, mode: "write" };
  return { kernel: { ...kernel, epilogue: { loops, kept }, args: modes }, args };
}

/** A result of the last loop that the product can wait in: each element is read before it is overwritten, and only there. */
function placeFor(
  c: number,
  readers: readonly (readonly [Item, LoopKernel])[],
  buffers: Unplanned["buffers"],
): number | undefined {
  const [{ args }, loop] = readers[readers.length - 1];
  const uses = readers.flatMap(([item]) => item.args);
  return args.find((buffer, write) => {
    const once = uses.filter((other) => other === buffer).length === 1;
    const [length, wanted] = [buffers[buffer].length, buffers[c].length];
    return once && length === wanted && overwritable(loop, args.indexOf(c), write);
  });
}

/** The program of these calls; equal kernels are stored once. */
function assemble(program: Unplanned, items: readonly Item[]): Unplanned {
  const kernels: Kernel[] = [];
  const known = new Map<string, number>();
  const calls = items.map(({ kernel, args }): KernelCall => {
    const key = kernelKey(kernel);
    const at = known.get(key) ?? kernels.push(kernel) - 1;
    known.set(key, at);
    return { kernel: at, args };
  });
  return { ...program, kernels, calls };
}
