// Where a unit of the selective scan's gradient finds its part of each argument.

import type { Local } from "../vector/vector.ts";
import { SelectiveCode } from "./selective-code.ts";

export interface Unit {
  readonly batch: Local;
  readonly group: Local;
  /** Blocks of the group. */
  readonly blocks: Local;
}

/** Steps [first, first + count) of a unit. */
export interface Chunk extends Unit {
  readonly first: Local;
  readonly count: Local;
}

export class SelectivePlaces extends SelectiveCode {
  /** Bytes from the first batch element's table of channels and states to this one's. */
  perBatch({ batch }: Unit): Local {
    const { channels, states } = this.kernel;
    return this.int((f) =>
      f
        .get(batch)
        .i32(channels * states * this.size)
        .op("i32.mul"),
    );
  }

  /** The address of a block in an argument [.., channels, states], plus an offset (a local, or 0). */
  place(arg: number, block: Local, offset: Local | 0): Local {
    const { f, kernel, width, size } = this;
    return this.int(() => {
      f.get(arg)
        .get(block)
        .i32(width * kernel.states * size)
        .op("i32.mul")
        .op("i32.add");
      if (offset !== 0) f.get(offset).op("i32.add");
      return f;
    });
  }

  /** The address of [batch, step, column] in an argument [batch, length, side], `column` in bytes (pushed). */
  row(arg: number, { batch }: Unit, step: Local, side: number, column: () => void): Local {
    const { f, kernel, size } = this;
    return this.int(() => {
      f.get(arg).get(batch).i32(kernel.length).op("i32.mul").get(step).op("i32.add");
      f.i32(side * size)
        .op("i32.mul")
        .op("i32.add");
      column();
      return f.op("i32.add");
    });
  }

  rowOfBlock(arg: number, chunk: Chunk, step: Local, block: Local): Local {
    const { f, kernel, width, size } = this;
    return this.row(arg, chunk, step, kernel.channels, () =>
      f
        .get(block)
        .i32(width * size)
        .op("i32.mul"),
    );
  }

  rowOfStates(arg: number, chunk: Chunk, step: Local): Local {
    return this.row(arg, chunk, step, this.kernel.states, () => this.f.i32(0));
  }
}
