// Memory of a training step: how far the process grows, and how much a step leaves for the garbage collector.

/** Slow libraries take fewer steps, in ms. */
const longest = 30_000;

/**
 * RSS growth in KiB over `taken` steps after the first 100, and bytes of JavaScript heap a step. Needs `globalThis.gc`
 * (node --expose-gc).
 */
export async function measureMemory(run: () => unknown, steps: number): Promise<Record<string, number>> {
  for (let i = 0; i < 100; i++) await run();
  const before = resident();
  const start = performance.now();
  let taken = 0;
  for (; taken < steps && performance.now() - start < longest; taken++) await run();
  const growth = resident() - before;
  const idle = await heapPerCall(() => undefined);
  const perStep = Math.max(0, (await heapPerCall(run)) - idle);
  return { growth: Math.round(growth / 1024), perStep: Math.round(perStep), taken };
}

function resident(): number {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

/** Median growth of the JavaScript heap a call, over bursts: those with a collection inside fall out. */
async function heapPerCall(run: () => unknown, bursts = 101, calls = 20): Promise<number> {
  const growths: number[] = [];
  for (let burst = 0; burst < bursts; burst++) {
    const before = process.memoryUsage();
    for (let i = 0; i < calls; i++) await run();
    const after = process.memoryUsage();
    growths.push((after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers) / calls);
  }
  return growths.sort((a, b) => a - b)[bursts >> 1];
}
