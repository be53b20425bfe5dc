// Bars of seeds.

import type { Bar } from "../figures.ts";
import { mean, standardError } from "../statistics.ts";

/** A bar of the mean over the seeds, with one standard error; none without values. */
export function barOf(label: string, values: readonly number[], series?: string): Bar[] {
  if (values.length === 0) return [];
  return [
    {
      label,
      value: mean(values),
      ...(series === undefined ? {} : { series }),
      ...(values.length < 2 ? {} : { error: standardError(values) }),
    },
  ];
}
