// What fits, what may be sent, drafts, and putting an emoji where the caret is.
import { expect, it, vi } from "vitest";
import { Drafts, fit, insertAt, isSendable } from "./model";

it("counts bytes, and tells characters that are too many", () => {
  expect(fit("", 1000)).toMatchObject({ left: 1000, show: false, over: false });
  expect(fit("a".repeat(900), 1000)).toMatchObject({ left: 100, show: true, over: false });
  expect(fit("a".repeat(1000), 1000).over).toBe(false);
  expect(fit("a".repeat(1003), 1000)).toMatchObject({ left: -3, over: true });
  expect(fit("🙂".repeat(251), 1000)).toMatchObject({ left: -1, over: true });
});

it("sends only what says something", () => {
  for (const text of ["", "  \n\t", "\u200b\u200d", "\ufeff", "\u3164"])
    expect(isSendable(text), JSON.stringify(text)).toBe(false);
  for (const text of ["a", " . ", "🙂", "ا"]) expect(isSendable(text), text).toBe(true);
});

it("keeps a draft for each conversation and tells when one changes", () => {
  const drafts = new Drafts();
  const listener = vi.fn();
  const stop = drafts.subscribe(listener);
  drafts.set(1, "a");
  drafts.set(1, "a");
  drafts.set(2, "b");
  expect([drafts.get(1), drafts.get(2), drafts.get(3)]).toEqual(["a", "b", ""]);
  expect(listener).toHaveBeenCalledTimes(2);
  stop();
  drafts.set(1, "");
  expect(listener).toHaveBeenCalledTimes(2);
  expect(drafts.version()).toBe(3);
});

it("inserts at the caret and over a selection", () => {
  expect(insertAt("ab", 1, 1, "🙂")).toEqual({ text: "a🙂b", caret: 3 });
  expect(insertAt("abc", 0, 2, "x")).toEqual({ text: "xc", caret: 1 });
});
