// Which operation a user called, while those it is composed of run: errors name the one the user knows.

interface Calling {
  readonly op: string;
  /** Which of its arguments holds positions. */
  readonly index: string;
}

/** The operation a user called, while it runs: errors of those it is composed of name it. */
let calling: Calling | undefined;

/** Its name; undefined outside of any. */
export const callingOperation = (): string | undefined => calling?.op;

/**
 * `fn` as the operation `op`: errors of whatever it calls name it, unless it is itself part of one a user called.
 * `index` is the argument that holds positions.
 */
export function operation<F extends (...args: never[]) => unknown>(op: string, fn: F, index = "index"): F {
  const own: Calling = { op, index };
  const named = (...args: never[]) => {
    if (calling !== undefined) return fn(...args);
    calling = own;
    try {
      return fn(...args);
    } finally {
      calling = undefined;
    }
  };
  return named as F;
}

/** Runs code that is no part of the operation a user called: what the user gave it to run, or what was recorded before. */
export function apart<T>(fn: () => T): T {
  const before = calling;
  calling = undefined;
  try {
    return fn();
  } finally {
    calling = before;
  }
}

/** Where positions come from: "operation argument", and the axis they count along. */
export interface IndexSource {
  readonly source: string;
  readonly axis: number;
}

/** The source of positions given to the operation that runs now; `otherwise`: outside of any. */
export const indexSource = (otherwise: string): string =>
  calling === undefined ? otherwise : `${calling.op} ${calling.index}`;

/** The name of the operation in a source of positions. */
export const operationOf = (source: string): string => source.split(" ")[0];
