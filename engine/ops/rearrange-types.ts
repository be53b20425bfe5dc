// What TypeScript can know about a pattern like "b t (h d) -> b h t d": names that are missing, sizes that are needed.

type Words = readonly string[];

/** With the word that ended, in the group that is open or as a group of its own. */
type Grouped<Open, Word extends string, Groups extends readonly Words[]> = Word extends ""
  ? Groups
  : Open extends Words
    ? Groups
    : [...Groups, [Word]];
type Opened<Open, Word extends string> = Open extends Words ? (Word extends "" ? Open : [...Open, Word]) : null;

/** The groups of one side: a name alone is a group of one. */
export type Groups<
  S extends string,
  Word extends string = "",
  Open extends Words | null = null,
  Done extends readonly Words[] = [],
> = S extends `${infer C}${infer Rest}`
  ? C extends " "
    ? Groups<Rest, "", Opened<Open, Word>, Grouped<Open, Word, Done>>
    : C extends "("
      ? Groups<Rest, "", [], Grouped<Open, Word, Done>>
      : C extends ")"
        ? Groups<Rest, "", null, [...Done, Opened<Open, Word> extends Words ? Opened<Open, Word> : []]>
        : Groups<Rest, `${Word}${C}`, Open, Done>
  : Grouped<Open, Word, Done>;

type Names<S extends string> = Exclude<Groups<S>[number][number], "1">;

/** The names of a group whose size is not given. */
type Unsized<Group extends Words, Sized> = Group extends readonly [infer Name, ...infer Rest extends Words]
  ? Name extends Sized | "1"
    ? Unsized<Rest, Sized>
    : [Name, ...Unsized<Rest, Sized>]
  : [];

/** The names of the groups with more than one size to guess; never where all is known. */
type Unsolved<List, Sized> = List extends readonly [infer Group extends Words, ...infer Rest]
  ? Unsized<Group, Sized> extends readonly [string, string, ...Words]
    ? Group[number]
    : Unsolved<Rest, Sized>
  : never;

type Judge<Left extends string, Right extends string, Sized, MayVanish extends boolean> = [
  Exclude<Names<Right>, Names<Left>>,
] extends [never]
  ? [MayVanish, Exclude<Names<Left>, Names<Right>>] extends [false, string] & [false, infer Lost extends string]
    ? [Lost] extends [never]
      ? Sizes<Left, Sized>
      : `axis ${Lost} is on the left only`
    : Sizes<Left, Sized>
  : `axis ${Exclude<Names<Right>, Names<Left>>} is on the right only`;

type Sizes<Left extends string, Sized> = [Unsolved<Groups<Left>, Sized>] extends [never]
  ? unknown
  : `give the sizes of all but one of the axes ${Unsolved<Groups<Left>, Sized>}`;

/** The pattern itself, or a text that says what is wrong with it. */
export type CheckedPattern<P extends string, Sized, MayVanish extends boolean = false> = string extends P
  ? P
  : P extends `${infer Left}->${infer Right}`
    ? Judge<Left, Right, Sized, MayVanish> extends infer Problem extends string
      ? Problem
      : P
    : "needs two sides: write left -> right";
