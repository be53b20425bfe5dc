// The words of the graph: names of primitives by what kind they are. What they mean is the table in primitives/.

/** Float functions of one argument. */
export const unaryFloatOps = [
  "sqrt",
  "rsqrt",
  "exp",
  "exp2",
  "expm1",
  "log",
  "log2",
  "log1p",
  "sin",
  "cos",
  "tanh",
  "sigmoid",
  "erf",
] as const;
/** Functions of one number, of any numeric dtype. */
export const unaryNumericOps = ["neg", "abs", "sign", "floor", "ceil", "round", "trunc"] as const;
export const unaryBoolOps = ["logicalNot"] as const;
/** Two numbers of one dtype to a number of that dtype. */
export const binaryNumericOps = ["add", "sub", "mul", "div", "pow", "maximum", "minimum", "remainder"] as const;
/** Two values of one dtype to a bool. */
export const compareOps = ["less", "lessEqual", "equal", "notEqual"] as const;
export const binaryBoolOps = ["logicalAnd", "logicalOr"] as const;
export const reduceOps = ["sum", "prod", "max", "min"] as const;

export type UnaryFloatOp = (typeof unaryFloatOps)[number];
export type UnaryNumericOp = (typeof unaryNumericOps)[number];
export type UnaryOp = UnaryFloatOp | UnaryNumericOp | (typeof unaryBoolOps)[number];
export type BinaryNumericOp = (typeof binaryNumericOps)[number];
export type CompareOp = (typeof compareOps)[number];
export type BinaryOp = BinaryNumericOp | CompareOp | (typeof binaryBoolOps)[number];
export type ReduceOp = (typeof reduceOps)[number];

/** Elementwise primitives: one scalar expression per element, all inputs of one shape. */
export type ElementwiseOp = UnaryOp | BinaryOp | "where" | "cast" | "after";

const setOf = (...lists: readonly (readonly string[])[]): ReadonlySet<string> => new Set(lists.flat());
const unary = setOf(unaryFloatOps, unaryNumericOps, unaryBoolOps);
const binary = setOf(binaryNumericOps, compareOps, binaryBoolOps);
const reduce = setOf(reduceOps);
const movement = setOf([
  "reshape",
  "permute",
  "expand",
  "slice",
  "pad",
  "flip",
  "windows",
  "alias",
  "stopGradient",
  "custom",
]);

export const isUnary = (op: string): op is UnaryOp => unary.has(op);
export const isBinary = (op: string): op is BinaryOp => binary.has(op);
export const isElementwise = (op: string): op is ElementwiseOp =>
  unary.has(op) || binary.has(op) || op === "where" || op === "cast" || op === "after";
export const isReduce = (op: string): op is ReduceOp => reduce.has(op);
/** Primitives that only change which element is read: index rewriting, never a copy by themselves. */
export const isMovement = (op: string): boolean => movement.has(op);
