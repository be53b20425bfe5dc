// detach() inside compile(): of an argument, and of a parameter that is assigned to outside.

import { beforeAll, expect, test } from "vitest";
import { assign, compile, setBackend, type Tensor, tensor } from "../../engine/index.ts";

beforeAll(() => setBackend("wasm"));

test("a detached argument is that of the call", () => {
  const step = compile((x: Tensor) => x.detach().mul(2));
  expect([1, 2].map((v) => step(tensor(v)).item())).toEqual([2, 4]);
});

test("a detached parameter is as it is at the call", () => {
  const p = tensor(1, { requiresGrad: true });
  const step = compile(() => p.detach().mul(2));
  expect(step().item()).toBe(2);
  void assign(p, tensor(5));
  expect(step().item()).toBe(10);
});
