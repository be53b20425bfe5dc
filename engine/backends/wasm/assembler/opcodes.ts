// Every WebAssembly instruction the engine uses, once, typed by name: runs of consecutive opcodes.

type Words<S extends string, Found = never> = S extends `${infer First} ${infer Rest}`
  ? Words<Rest, Found | First>
  : Found | S;
type Run = readonly [first: number, group: string, names: string];
type Names<Runs extends readonly Run[]> = {
  [I in keyof Runs]: Runs[I] extends readonly [number, infer Group extends string, infer List extends string]
    ? `${Group}.${Words<List>}`
    : never;
}[number];

/** Numbers at or above this are a prefix byte (0xfc, 0xfd, 0xfe) and a LEB128 code. */
export const prefixed = 0x10000;
const sat = 0xfc * prefixed;
const simd = 0xfd * prefixed;
const atomicPrefix = 0xfe * prefixed;

/** Instructions without immediates. */
const plain = [
  [0x45, "i32", "eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"],
  [0x50, "i64", "eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"],
  [0x5b, "f32", "eq ne lt gt le ge"],
  [0x61, "f64", "eq ne lt gt le ge"],
  [0x67, "i32", "clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr"],
  [0x79, "i64", "clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr"],
  [0x8b, "f32", "abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign"],
  [0x99, "f64", "abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign"],
  [0xa7, "i32", "wrap_i64 trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u"],
  [0xac, "i64", "extend_i32_s extend_i32_u trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u"],
  [0xb2, "f32", "convert_i32_s convert_i32_u convert_i64_s convert_i64_u demote_f64"],
  [0xb7, "f64", "convert_i32_s convert_i32_u convert_i64_s convert_i64_u promote_f32"],
  [0xbc, "i32", "reinterpret_f32"],
  [0xbd, "i64", "reinterpret_f64"],
  [0xbe, "f32", "reinterpret_i32"],
  [0xbf, "f64", "reinterpret_i64"],
  [0xc0, "i32", "extend8_s extend16_s"],
  [sat + 0x00, "i32", "trunc_sat_f32_s trunc_sat_f32_u trunc_sat_f64_s trunc_sat_f64_u"],
  [simd + 0x0e, "i8x16", "swizzle splat"],
  [simd + 0x10, "i16x8", "splat"],
  [simd + 0x11, "i32x4", "splat"],
  [simd + 0x12, "i64x2", "splat"],
  [simd + 0x13, "f32x4", "splat"],
  [simd + 0x14, "f64x2", "splat"],
  [simd + 0x23, "i8x16", "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"],
  [simd + 0x2d, "i16x8", "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"],
  [simd + 0x37, "i32x4", "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"],
  [simd + 0x41, "f32x4", "eq ne lt gt le ge"],
  [simd + 0x47, "f64x2", "eq ne lt gt le ge"],
  [simd + 0x4d, "v128", "not and andnot or xor bitselect any_true"],
  [simd + 0x5e, "f32x4", "demote_f64x2_zero"],
  [simd + 0x5f, "f64x2", "promote_low_f32x4"],
  [simd + 0x60, "i8x16", "abs neg popcnt all_true bitmask narrow_i16x8_s narrow_i16x8_u"],
  [simd + 0x67, "f32x4", "ceil floor trunc nearest"],
  [simd + 0x6b, "i8x16", "shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u"],
  [simd + 0x74, "f64x2", "ceil floor"],
  [simd + 0x76, "i8x16", "min_s min_u max_s max_u"],
  [simd + 0x7a, "f64x2", "trunc"],
  [simd + 0x80, "i16x8", "abs neg q15mulr_sat_s all_true bitmask narrow_i32x4_s narrow_i32x4_u"],
  [simd + 0x87, "i16x8", "extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u"],
  [simd + 0x8b, "i16x8", "shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u"],
  [simd + 0x94, "f64x2", "nearest"],
  [simd + 0x95, "i16x8", "mul min_s min_u max_s max_u"],
  [simd + 0xa0, "i32x4", "abs neg"],
  [simd + 0xa3, "i32x4", "all_true bitmask"],
  [simd + 0xa7, "i32x4", "extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u"],
  [simd + 0xab, "i32x4", "shl shr_s shr_u add"],
  [simd + 0xb1, "i32x4", "sub"],
  [simd + 0xb5, "i32x4", "mul min_s min_u max_s max_u dot_i16x8_s"],
  [simd + 0xc0, "i64x2", "abs neg"],
  [simd + 0xc3, "i64x2", "all_true bitmask"],
  [simd + 0xc7, "i64x2", "extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u extend_high_i32x4_u"],
  [simd + 0xcb, "i64x2", "shl shr_s shr_u add"],
  [simd + 0xd1, "i64x2", "sub"],
  [simd + 0xd5, "i64x2", "mul eq ne lt_s gt_s le_s ge_s"],
  [simd + 0xe0, "f32x4", "abs neg"],
  [simd + 0xe3, "f32x4", "sqrt add sub mul div min max pmin pmax"],
  [simd + 0xec, "f64x2", "abs neg"],
  [simd + 0xef, "f64x2", "sqrt add sub mul div min max pmin pmax"],
  [simd + 0xf8, "i32x4", "trunc_sat_f32x4_s trunc_sat_f32x4_u"],
  [simd + 0xfa, "f32x4", "convert_i32x4_s convert_i32x4_u"],
  [simd + 0xfc, "i32x4", "trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero"],
  [simd + 0xfe, "f64x2", "convert_low_i32x4_s convert_low_i32x4_u"],
  [simd + 0x105, "f32x4", "relaxed_madd relaxed_nmadd"],
  [simd + 0x107, "f64x2", "relaxed_madd relaxed_nmadd"],
] as const satisfies readonly Run[];

/** Instructions with an alignment and an offset. */
const memory = [
  [0x28, "i32", "load"],
  [0x29, "i64", "load"],
  [0x2a, "f32", "load"],
  [0x2b, "f64", "load"],
  [0x2c, "i32", "load8_s load8_u load16_s load16_u"],
  [0x36, "i32", "store"],
  [0x37, "i64", "store"],
  [0x38, "f32", "store"],
  [0x39, "f64", "store"],
  [0x3a, "i32", "store8 store16"],
  [simd + 0x00, "v128", "load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u"],
  [simd + 0x07, "v128", "load8_splat load16_splat load32_splat load64_splat store"],
  [simd + 0x5c, "v128", "load32_zero load64_zero"],
  [atomicPrefix + 0x00, "memory", "atomic.notify atomic.wait32"],
  [atomicPrefix + 0x10, "i32", "atomic.load"],
  [atomicPrefix + 0x17, "i32", "atomic.store"],
  [atomicPrefix + 0x1e, "i32", "atomic.rmw.add"],
  [atomicPrefix + 0x41, "i32", "atomic.rmw.xchg"],
  [atomicPrefix + 0x48, "i32", "atomic.rmw.cmpxchg"],
] as const satisfies readonly Run[];

/** Instructions with a lane number. */
const lane = [
  [simd + 0x15, "i8x16", "extract_lane_s extract_lane_u replace_lane"],
  [simd + 0x18, "i16x8", "extract_lane_s extract_lane_u replace_lane"],
  [simd + 0x1b, "i32x4", "extract_lane replace_lane"],
  [simd + 0x1d, "i64x2", "extract_lane replace_lane"],
  [simd + 0x1f, "f32x4", "extract_lane replace_lane"],
  [simd + 0x21, "f64x2", "extract_lane replace_lane"],
] as const satisfies readonly Run[];

/** Instructions with an alignment, an offset and a lane number. */
const memoryLane = [
  [simd + 0x54, "v128", "load8_lane load16_lane load32_lane load64_lane"],
  [simd + 0x58, "v128", "store8_lane store16_lane store32_lane store64_lane"],
] as const satisfies readonly Run[];

export type Opcode = Names<typeof plain> | "drop" | "select";
export type MemoryOpcode = Names<typeof memory>;
export type LaneOpcode = Names<typeof lane>;
export type MemoryLaneOpcode = Names<typeof memoryLane>;

function table(runs: readonly Run[]): Map<string, number> {
  const codes = new Map<string, number>();
  for (const [first, group, names] of runs) {
    names.split(" ").forEach((name, i) => {
      codes.set(`${group}.${name}`, first + i);
    });
  }
  return codes;
}

const codes = table([...plain, ...memory, ...lane, ...memoryLane])
  .set("drop", 0x1a)
  .set("select", 0x1b);

export const opcode = (name: Opcode | MemoryOpcode | LaneOpcode | MemoryLaneOpcode): number =>
  codes.get(name) as number;

/** log2 of the bytes an instruction touches: its natural alignment (atomics must state exactly this one). */
export const naturalAlign = (name: MemoryOpcode | MemoryLaneOpcode): number => aligns.get(name) as number;

const aligns = new Map([...table([...memory, ...memoryLane]).keys()].map((name) => [name, alignOf(name)]));

function alignOf(name: string): number {
  const access = name.slice(name.indexOf("."));
  if (/\d+x\d+/.test(access)) return 3;
  const bits = /(?:load|store)(\d+)/.exec(access)?.[1];
  if (bits !== undefined) return Math.log2(Number(bits) / 8);
  if (name.startsWith("v128")) return 4;
  return name.startsWith("i64") || name.startsWith("f64") ? 3 : 2;
}
