// Searching the list, badges and previews.
import { expect, it } from "vitest";
import { badgeText, type ListRow, previewText, searchRows } from "./model";

const row = (id: number, title: string, keywords: string[] = []): ListRow => ({
  id,
  title,
  seed: String(id),
  group: false,
  presence: null,
  preview: { kind: "nothing" },
  delivery: null,
  at: null,
  unread: 0,
  keywords,
});
const rows = [row(1, "Zoë Keller", ["zoe"]), row(2, "Garden party", ["bob", "booking/42"]), row(3, "Bob")];
const found = (query: string): number[] => searchRows(rows, query).map((one) => one.id);

it("finds by every word, whatever accents and case", () => {
  expect(found("zoe")).toEqual([1]);
  expect(found("KELLER zo")).toEqual([1]);
  expect(found("bob")).toEqual([2, 3]);
  expect(found("booking/42")).toEqual([2]);
  expect(found("  ")).toEqual([1, 2, 3]);
  expect(found("nobody")).toEqual([]);
});

it("writes badges", () => {
  expect([1, 99, 100, 1000].map(badgeText)).toEqual(["1", "99", "99+", "99+"]);
});

it("writes previews on one line without marks", () => {
  expect(previewText("a\n\n**b** `c`\t d ")).toBe("a b c d");
  expect(previewText("x".repeat(5_000)).length).toBe(240);
});
