// fast-check as tests see it: each `assert` runs as many cases as the run asks for, and says how many they were.

import type * as FastCheck from "fast-check";
import { TestRunner } from "vitest";

type Module = typeof FastCheck;

declare module "vitest" {
  interface TaskMeta {
    /** Properties that were asserted, and cases they ran. */
    properties?: number;
    cases?: number;
  }
  interface ProvidedContext {
    /** How many times the cases of a usual run. */
    scale: number;
  }
}

/** fast-check's default number of cases. */
const usual = 100;

/** fast-check with cases times `scale`, counted in the meta data of the test that runs. */
export function counting(real: Module, scale: number): Module {
  const assert = <Ts>(
    property: FastCheck.IRawProperty<Ts>,
    parameters: FastCheck.Parameters<Ts> = {},
  ): Promise<void> | void => {
    const numRuns = Math.ceil((parameters.numRuns ?? usual) * scale);
    const judge = (details: FastCheck.RunDetails<Ts>): void => {
      const test = TestRunner.getCurrentTest();
      if (test !== undefined) {
        test.meta.properties = (test.meta.properties ?? 0) + 1;
        test.meta.cases = (test.meta.cases ?? 0) + details.numRuns;
      }
      if (!details.failed) return;
      const cause = details.errorInstance;
      throw new Error(real.defaultReportMessage(details as FastCheck.RunDetailsFailureProperty<Ts>), { cause });
    };
    const details = real.check(property as FastCheck.IProperty<Ts>, { ...parameters, numRuns }) as
      | FastCheck.RunDetails<Ts>
      | Promise<FastCheck.RunDetails<Ts>>;
    return details instanceof Promise ? details.then(judge) : judge(details);
  };
  const counted = { ...real, assert };
  return { ...counted, default: counted } as unknown as Module;
}
