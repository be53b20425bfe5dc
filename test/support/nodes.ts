// The graph of a recipe, for tests of what lies below tensors.

import type { Node } from "../../engine/graph/node.ts";
import { cook, type Recipe } from "../../testing/index.ts";

export const nodesOf = (recipe: Recipe): Node[] => cook(recipe).map(({ node }) => node);
