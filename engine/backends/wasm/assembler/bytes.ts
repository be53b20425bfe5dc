// A growing byte string with the encodings of the WebAssembly binary format.

export class Bytes {
  private data = new Uint8Array(256);
  length = 0;

  private room(more: number): void {
    if (this.length + more <= this.data.length) return;
    const grown = new Uint8Array(Math.max(2 * this.data.length, this.length + more));
    grown.set(this.data.subarray(0, this.length));
    this.data = grown;
  }

  u8(...values: number[]): this {
    for (const value of values) this.push(value);
    return this;
  }

  private push(value: number): void {
    if (this.length === this.data.length) this.room(1);
    this.data[this.length++] = value;
  }

  /** LEB128, unsigned 32 bits. */
  u32(value: number): this {
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.push((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.push(rest);
    return this;
  }

  /** LEB128, signed 32 bits. */
  s32(value: number): this {
    let rest = value | 0;
    while (rest < -64 || rest > 63) {
      this.push((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.push(rest & 0x7f);
    return this;
  }

  /** LEB128, signed 64 bits. */
  s64(value: bigint): this {
    let rest = BigInt.asIntN(64, value);
    while (rest < -64n || rest > 63n) {
      this.u8(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    return this.u8(Number(rest & 0x7fn));
  }

  append(bytes: Uint8Array): this {
    this.room(bytes.length);
    this.data.set(bytes, this.length);
    this.length += bytes.length;
    return this;
  }

  /** A byte string preceded by its length. */
  sized(bytes: Uint8Array): this {
    return this.u32(bytes.length).append(bytes);
  }

  name(text: string): this {
    return this.sized(new TextEncoder().encode(text));
  }

  view(): Uint8Array<ArrayBuffer> {
    return this.data.subarray(0, this.length);
  }
}
