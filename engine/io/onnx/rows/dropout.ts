// Operators that draw random numbers, where what they give does not depend on the draw.

import { ones } from "../../../ops/create.ts";
import type { Output, Row } from "../call.ts";

/**
 * Dropout at inference, or with a ratio of 0: the identity, with a mask of all true. Training with another ratio draws
 * numbers that no file can expect, and is refused.
 */
export const dropout: Row = async (call): Promise<Awaited<Output>> => {
  const x = call.input(0);
  call.int("seed");
  const attribute = call.float("ratio", 0.5);
  const ratio = call.opset < 12 ? attribute : call.optional(1) === undefined ? 0.5 : await call.scalar(1);
  const training =
    call.opset < 7
      ? !call.flag("is_test")
      : call.opset >= 12 && call.optional(2) !== undefined && (await call.scalar(2)) !== 0;
  if (training && ratio !== 0) return call.unsupported(`training with ratio ${ratio}`);
  const mask = ones(x.shape, { dtype: "bool" });
  // Before opset 10 the mask has the type of the data.
  return [x, call.opset < 10 ? call.as(0, mask) : call.bool(mask)];
};
