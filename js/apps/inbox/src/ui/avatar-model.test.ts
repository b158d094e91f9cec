// Initials in several scripts, and colours that stay.
import { expect, it } from "vitest";
import { HUES, hueOf, initials } from "./avatar-model";

it.each([
  ["alice", "A"],
  ["Ada Lovelace", "AL"],
  ["Faye Wong-Bartholomew the Third", "FT"],
  ["李小龙", "李"],
  ["éva", "É"],
  ["🙂", "?"],
  ["  ", "?"],
  ["(Bob)", "B"],
])("%j is %s", (name, expected) => expect(initials(name)).toBe(expected));

it("spreads colours and keeps them", () => {
  const hues = Array.from({ length: 200 }, (_, i) => hueOf(String(i)));
  expect(new Set(hues).size).toBe(HUES);
  expect(hues.every((hue) => hue >= 0 && hue < HUES && Number.isInteger(hue))).toBe(true);
  expect(hueOf("alice")).toBe(hueOf("alice"));
});
