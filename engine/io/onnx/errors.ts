// What the ONNX reader refuses: what it does not know, named with the operator that asked for it.

import { SluiceError } from "../../errors.ts";

/** An operator, attribute, element type or variant that the reader does not run. Nothing is approximated instead. */
export class UnsupportedOnnxError extends SluiceError {
  override readonly name = "UnsupportedOnnxError";
}

/** A node of a model that could not be run; `cause` is the error of the operation that refused. */
export class OnnxNodeError extends SluiceError {
  override readonly name = "OnnxNodeError";
}
