// Errors that a person at the command line can act on: one line that says what is wrong and what to do.

/** An error whose message is meant to be read alone, without a stack; `exitCode` is the process's. */
export class ReproductionError extends Error {
  override readonly name: string = "ReproductionError";
  readonly exitCode: number;

  constructor(message: string, exitCode = 1, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}

/** A command line that asks for something that isn't there or can't be. */
export class UsageError extends ReproductionError {
  override readonly name = "UsageError";

  constructor(message: string, cause?: unknown) {
    super(message, 2, cause);
  }
}

/** A measured number is NaN or infinite: training diverged. */
export class NonFiniteError extends ReproductionError {
  override readonly name = "NonFiniteError";
  readonly tensor: string;
  readonly step: number | undefined;

  constructor(tensor: string, value: number, step?: number) {
    const where = step === undefined ? "" : ` at step ${step}`;
    super(`"${tensor}" became ${value}${where}: lower the learning rate, or look for a log or a division of zero`);
    this.tensor = tensor;
    this.step = step;
  }
}

/** A message for any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
