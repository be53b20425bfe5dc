// Setting many named leaves at once, or none: what modules and optimizers share in loading.

import { ArgumentError, formatShape, sameShape, type Tensor } from "../engine/index.ts";

type Named = Readonly<Record<string, Tensor>>;

/**
 * Copies the values of `given` into `own`, by name: all of them, or none. @throws ArgumentError that lists every name
 * that is missing, unknown, or of another shape or dtype.
 */
export async function loadTensors(op: string, own: Named, given: Named): Promise<void> {
  const problems: string[] = [];
  const names = Object.keys(own);
  for (const name of names) {
    const [target, value] = [own[name], Object.hasOwn(given, name) ? given[name] : undefined];
    if (value === undefined) problems.push(`"${name}" is missing`);
    else if (!sameShape(value.shape, target.shape) || value.dtype !== target.dtype) {
      const [has, needs] = [value, target].map((x) => `${x.dtype} ${formatShape(x.shape)}`);
      problems.push(`"${name}" is ${has}, needs ${needs}`);
    }
  }
  for (const name of Object.keys(given)) if (!Object.hasOwn(own, name)) problems.push(`"${name}" is unknown`);
  if (problems.length > 0) throw new ArgumentError(op, problems.join("; "));
  const values = await Promise.all(names.map((name) => given[name].data()));
  names.forEach((name, i) => {
    own[name].copyFrom(values[i]);
  });
}
