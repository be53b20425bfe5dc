// What JSON.parse does not tell: whether an object has a key twice.

/** A key that some object of this valid JSON text has twice, if there is one. */
export function duplicateKey(text: string): string | undefined {
  // Strings and structure are all that matters; the text is known to be valid.
  const tokens = text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:,]/gs);
  const levels: (Set<string> | undefined)[] = [];
  let last = "";
  for (const [token] of tokens) {
    if (token === "{") levels.push(new Set());
    else if (token === "[") levels.push(undefined);
    else if (token === "}" || token === "]") levels.pop();
    else if (token === ":") {
      const key: string = JSON.parse(last);
      const level = levels[levels.length - 1];
      if (level?.has(key)) return key;
      level?.add(key);
    }
    last = token;
  }
  return undefined;
}
