// What a call with one wrong argument says: at the call, before anything runs, a typed error with the operation's name
// and the value that is wrong.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as S from "../../../engine/index.ts";
import type { Call, Given } from "./call.ts";
import { calls } from "./calls.ts";
import { creation, movement } from "./movement.ts";

const validArguments = ({ args }: Call): Record<string, Given> =>
  Object.fromEntries(Object.entries(args).map(([name, { valid }]) => [name, valid()]));

const wrongArguments = ({ args }: Call) =>
  fc.oneof(
    ...Object.entries(args).flatMap(([name, { wrongs }]) =>
      wrongs.map((arbitrary) => arbitrary.map((wrong) => ({ name, wrong }))),
    ),
  );

describe("one wrong argument", () => {
  it.each(Object.entries({ ...calls, ...movement, ...creation }))("%s", (title, call) => {
    const op = title.split(/[ ,]/)[0];
    call.run(validArguments(call));
    const property = fc.property(wrongArguments(call), ({ name, wrong }) => {
      const about = `${name}: ${wrong.what}`;
      try {
        call.run({ ...validArguments(call), [name]: wrong.given });
      } catch (error) {
        expect(error, `${about}: ${error}`).toBeInstanceOf(S.SluiceError);
        const { message, op: named } = error as S.SluiceError;
        expect(named, `${about}: ${message}`).toBe(op);
        const shows = wrong.shown.some((text) => message.includes(text));
        expect(shows, `${about}: "${message}" shows none of ${wrong.shown.join(" | ")}`).toBe(true);
        return;
      }
      expect.fail(`${about} is taken`);
    });
    fc.assert(property, { numRuns: 60 });
  });
});
