// The default backend: programs as WebAssembly SIMD, generated at run time, in one memory.

import { compileGraph, explainProgram, type Target } from "../../compile/index.ts";
import type { Program } from "../../compile/ir.ts";
import { bytesPerElement } from "../../dtype.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Storage } from "../../graph/storage.ts";
import type { Backend, Executable } from "../backend.ts";
import { takesEpilogue } from "./gemm/epilogue.ts";
import { blockOf, HeapBlock, hostValues, makeResident } from "./memory/block.ts";
import { Heap } from "./memory/heap.ts";
import { type Instance, instantiate } from "./program.ts";
import { Runner } from "./threads/runner.ts";

/** What the compiler may ask of this backend's kernels. */
export const wasmTarget: Target = { columnSums: true, epilogue: takesEpilogue };

/** A backend with a memory of its own. */
export function wasmBackend(): Backend {
  const runner = new Runner(new Heap());
  return {
    name: "wasm",
    synchronous: true,
    get threads() {
      return runner.threads;
    },
    set threads(threads) {
      runner.threads = threads;
    },
    prepare: (graph: Graph) => new WasmExecutable(runner, compileGraph(graph, { target: wasmTarget })),
  };
}

/** A program bound to storages when it runs. */
export class WasmExecutable implements Executable {
  private readonly heap: Heap;
  private readonly runner: Runner;
  private readonly program: Program;
  private readonly instance: Instance;
  private readonly table: number;
  /** Inputs whose memory the program overwrites. */
  private readonly written: readonly number[];

  constructor(runner: Runner, program: Program) {
    const { heap } = runner;
    this.runner = runner;
    this.heap = heap;
    this.program = program;
    this.instance = instantiate(heap, program, runner.options.splitFrom);
    this.table = heap.alloc(this.instance.slots.size * 4, "a table of addresses");
    const targets = new Set(program.copies.map(([, to]) => to));
    for (const { kernel, args } of program.calls) {
      args.forEach((buffer, i) => {
        if (program.kernels[kernel].args[i].mode !== "read") targets.add(buffer);
      });
    }
    this.written = program.inputs.flatMap((buffer, i) => (this.isState(buffer) && targets.has(buffer) ? [i] : []));
  }

  private isState(buffer: number): boolean {
    return this.program.buffers[buffer].role === "state";
  }

  run(inputs: readonly Storage[], outputs: readonly Storage[]): void {
    const { heap, program, instance, table } = this;
    const arena = this.runner.arena(instance);
    // Every allocation comes before the first write: growing an unshared memory detaches views, not contents.
    for (let i = 0; i < inputs.length; i++) {
      const buffer = program.inputs[i];
      const address = this.isState(buffer)
        ? makeResident(heap, inputs[i]).address
        : this.bind(inputs[i], arena, buffer);
      heap.words[table / 4 + (instance.slots.get(buffer) as number)] = address;
    }
    for (let i = 0; i < inputs.length; i++) {
      const buffer = program.inputs[i];
      if (!this.isState(buffer) && blockOf(heap, inputs[i]) === undefined) {
        heap.write(inputs[i].dtype, this.address(arena, buffer), hostValues(inputs[i]));
      }
    }
    try {
      this.runner.run(instance, arena, table);
    } finally {
      for (const i of this.written) inputs[i].host = undefined;
    }
    for (let i = 0; i < outputs.length; i++) {
      const buffer = program.outputs[i];
      const at = program.inputs.indexOf(buffer);
      if (!this.isState(buffer)) this.copyOut(outputs[i], this.address(arena, buffer));
      else if (at < 0 || inputs[at] !== outputs[i]) this.copyOut(outputs[i], this.stateAddress(buffer));
    }
  }

  private address(arena: number, buffer: number): number {
    return arena + (this.program.arena.offsets[buffer] ?? 0);
  }

  private stateAddress(buffer: number): number {
    return this.heap.words[this.table / 4 + (this.instance.slots.get(buffer) as number)] >>> 0;
  }

  /** Where the program reads an input: in the heap, if it is there, else in the arena, where it is copied. */
  private bind(storage: Storage, arena: number, buffer: number): number {
    this.runner.residents.read(storage);
    return blockOf(this.heap, storage)?.address ?? this.address(arena, buffer);
  }

  private copyOut(storage: Storage, address: number): void {
    const { heap } = this;
    const { dtype, length } = storage;
    if (!storage.persistent) {
      storage.device?.release();
      storage.device = undefined;
      storage.host = heap.read(dtype, address, length);
      return;
    }
    let block = blockOf(heap, storage);
    if (block === undefined) {
      storage.device?.release();
      block = new HeapBlock(heap, storage);
      storage.device = block;
    }
    heap.move(address, block.address, length * bytesPerElement(dtype));
    storage.host = undefined;
  }

  explain(): string {
    const { instance, program } = this;
    const { moduleBytes } = instance;
    return `wasm: ${moduleBytes} bytes of code, ${instance.arenaBytes(1)} bytes of arena and scratch\n${explainProgram(program)}`;
  }

  release(): void {
    this.runner.forget(this.instance);
    this.heap.release(this.table);
  }
}
