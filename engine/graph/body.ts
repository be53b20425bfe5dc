// The bodies of scans as graphs of their own: what they capture, and when two are the same.

import { type Body, Node } from "./node.ts";
import { topological, valueInputs } from "./traverse.ts";
import { isMovement } from "./vocabulary.ts";

/** The nodes of a body, leaves included, inputs before users. */
export function bodyNodes({ leaves, results }: Pick<Body, "leaves" | "results">): Node[] {
  const ends = new Set(leaves);
  return topological([...leaves, ...results], (node) => (ends.has(node) ? [] : valueInputs(node)));
}

/**
 * What results need besides the `variables` that change from step to step, in a fixed order: values from outside, and
 * what depends on those only, which is computed once. Movement stays inside, where it costs nothing.
 */
export function captured(results: readonly Node[], variables: ReadonlySet<Node>): Node[] {
  const order = topological(results, (node) => (variables.has(node) ? [] : valueInputs(node)));
  const kinds = new Map<Node, Kind>();
  for (const node of order) kinds.set(node, kindOf(node, variables, kinds));
  const found = new Set<Node>();
  const visit = (node: Node): void => {
    if (kinds.get(node) !== "outside") return;
    if (isView(node)) visit(node.inputs[0]);
    else found.add(node);
  };
  for (const node of order) {
    if (kinds.get(node) === "variable" && !variables.has(node)) for (const input of valueInputs(node)) visit(input);
  }
  for (const result of results) visit(result);
  return [...found];
}

/**
 * The results with nodes of their own for what stays inside but does not vary (movement of captured values, constants):
 * whoever reads such a value outside would leave the body a node without inputs.
 */
export function withOwnNodes(
  results: readonly Node[],
  variables: ReadonlySet<Node>,
  outside: readonly Node[],
): readonly Node[] {
  const varies = new Set(variables);
  const leaves = new Set([...variables, ...outside]);
  const copies = new Map<Node, Node>();
  for (const node of bodyNodes({ leaves: [...leaves], results })) {
    if (leaves.has(node)) continue;
    if (valueInputs(node).some((input) => varies.has(input))) varies.add(node);
    if (varies.has(node) && !node.inputs.some((input) => copies.has(input))) continue;
    const inputs = node.inputs.map((input) => copies.get(input) ?? input);
    copies.set(node, new Node(node.op, inputs, node.attrs, node.shape, node.dtype, node.tracked));
  }
  return results.map((node) => copies.get(node) ?? node);
}

/** Movement that gradients pass like any other: an alias is a variable of its own, a custom gradient a rule. */
const isView = ({ op, storage }: Node): boolean =>
  storage === undefined && isMovement(op) && op !== "alias" && op !== "custom" && op !== "stopGradient";

type Kind = "variable" | "constant" | "outside";

function kindOf(node: Node, variables: ReadonlySet<Node>, kinds: ReadonlyMap<Node, Kind>): Kind {
  if (variables.has(node)) return "variable";
  const inputs = valueInputs(node).map((input) => kinds.get(input));
  if (inputs.includes("variable")) return "variable";
  if (inputs.includes("outside")) return "outside";
  return inputs.length > 0 || node.op === "full" || node.op === "iota" ? "constant" : "outside";
}

/** A text that is equal for bodies of equal structure. */
export function bodyKey(body: Body): string {
  const position = new Map<Node, number>();
  const parts: string[] = [`${body.carries},${body.sequences},${body.length},${body.reverse}`];
  const leaves = new Set(body.leaves);
  for (const node of bodyNodes(body)) {
    position.set(node, position.size);
    if (leaves.has(node)) parts.push(`${node.dtype}[${node.shape}]`);
    else {
      const inputs = valueInputs(node).map((input) => position.get(input));
      parts.push(`${node.op}${attrsText(node)}(${inputs.join()})`);
    }
  }
  return `{${parts.join(";")}>${body.results.map((node) => position.get(node)).join()}}`;
}

function attrsText(node: Node): string {
  if (node.op === "custom") return "";
  let text = "";
  for (const value of Object.values(node.attrs)) text += `:${Object.is(value, -0) ? "-0" : value}`;
  return text;
}
