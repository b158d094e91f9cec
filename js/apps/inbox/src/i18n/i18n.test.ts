// Texts, plurals and the ways to write a time.
import { describe, expect, it } from "vitest";
import { pickLocale, t } from ".";
import { daysBetween, formatDay, formatListTime, formatSeen } from "./dates";
import { en } from "./en";

describe("texts", () => {
  it("fills in names, numbers and plurals", () => {
    expect(t("typing.one", { name: "Bob" })).toBe("Bob is typing");
    expect(t("list.unread", { count: 1 })).toBe("1 unread message");
    expect(t("list.unread", { count: 1234 })).toBe("1,234 unread messages");
  });

  it("puts a name in as it is", () =>
    expect(t("typing.one", { name: "$& {name}" })).toBe("$& {name} is typing"));

  it("falls back to English", () => {
    expect(pickLocale(["xx-YY", "en-GB"])).toBe("en");
    expect(pickLocale([])).toBe("en");
  });

  it("has no empty text", () => {
    for (const [key, entry] of Object.entries(en)) {
      const texts = typeof entry === "string" ? [entry] : Object.values(entry);
      expect(
        texts.every((text) => text.trim() !== ""),
        key,
      ).toBe(true);
    }
  });
});

describe("times", () => {
  const now = new Date(2026, 4, 20, 14, 30);
  const ago = (days: number, hour = 9): Date => new Date(2026, 4, 20 - days, hour, 5);

  it("counts midnights, not hours", () => {
    expect(daysBetween(new Date(2026, 4, 19, 23, 59), new Date(2026, 4, 20, 0, 1))).toBe(1);
    expect(daysBetween(ago(0, 0), now)).toBe(0);
  });

  it("names days", () => {
    expect(formatDay(ago(0), now)).toBe("Today");
    expect(formatDay(ago(1), now)).toBe("Yesterday");
    expect(formatDay(ago(3), now)).toBe("Sunday");
    expect(formatDay(ago(10), now)).toContain("May");
    expect(formatDay(new Date(2024, 0, 2), now)).toContain("2024");
  });

  it("is shorter in the list", () => {
    expect(formatListTime(ago(0), now)).toContain("9:05");
    expect(formatListTime(ago(2), now)).toBe("Mon");
    expect(formatListTime(new Date(2024, 0, 2), now)).toContain("2024");
  });

  it("says when somebody was seen", () => {
    expect(formatSeen(new Date(2026, 4, 20, 14, 29, 50), now)).toBe("this minute");
    expect(formatSeen(new Date(2026, 4, 20, 14, 25), now)).toBe("5 minutes ago");
    expect(formatSeen(ago(1), now)).toBe("yesterday");
  });
});
