// Fisher-Yates: every sequence of draws leads to one order of its own, so uniform draws give uniform orders.

import fc from "fast-check";
import { expect, test } from "vitest";
import { fisherYates } from "../../nn/index.ts";

test("the orders of all draws are all orders, once each", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 6 }), (count) => {
      const orders = new Set<string>();
      let total = 1;
      for (let below = 2; below <= count; below++) total *= below;
      for (let code = 0; code < total; code++) {
        let rest = code;
        const order = fisherYates(count, (below) => {
          const draw = rest % below;
          rest = Math.floor(rest / below);
          return draw;
        });
        expect([...order].sort()).toEqual(Array.from({ length: count }, (_, i) => i));
        orders.add(order.join());
      }
      expect(orders.size).toBe(total);
    }),
    { numRuns: 20 },
  );
});
