// Rows out of messages: days, groups, the divider, and how far a message has come.
import { describe, expect, it } from "vitest";
import {
  buildRows,
  countNew,
  type Entry,
  groupByDay,
  lastEditable,
  lastSeq,
  type MessageEntry,
} from "./model";

function message(seq: number, over: Partial<MessageEntry> = {}): MessageEntry {
  return {
    kind: "message",
    key: `m${seq}`,
    id: seq,
    seq,
    senderId: "2",
    senderName: "Bob",
    senderSeed: "bob",
    own: false,
    text: `text ${seq}`,
    at: new Date(2026, 0, 5, 12, seq),
    edited: false,
    deleted: false,
    delivery: "sent",
    readBy: 0,
    error: null,
    quote: null,
    ...over,
  };
}

const own = { own: true, senderId: "1", senderName: "Alice" };
const shape = (entries: readonly Entry[], unreadAfter: number | null = null): string =>
  buildRows(entries, { unreadAfter })
    .map((row) => {
      if (row.kind !== "message") return row.kind;
      return `${row.first ? "(" : ""}${row.entry.seq}${row.last ? ")" : ""}`;
    })
    .join(" ");

describe("rows", () => {
  it("puts messages of one person together, up to five minutes", () => {
    expect(shape([message(1), message(2), message(3, own), message(4)])).toBe("day (1 2) (3) (4)");
    expect(shape([message(1), message(6)])).toBe("day (1) (6)");
  });

  it("separates days even within a group", () => {
    const before = message(1, { at: new Date(2026, 0, 4, 23, 59) });
    const after = message(2, { at: new Date(2026, 0, 5, 0, 1) });
    expect(shape([before, after])).toBe("day (1) day (2)");
  });

  it("puts the divider before the first unread message of somebody else", () => {
    expect(shape([message(1), message(2)], 1)).toBe("day (1) unread (2)");
    expect(shape([message(1), message(2, own), message(3)], 1)).toBe("day (1) (2) unread (3)");
    expect(shape([message(1)], 1)).toBe("day (1)");
  });

  it("lets a notice end a group", () => {
    const notice: Entry = { kind: "notice", key: "n", seq: 2, text: "Carol joined", at: message(2).at };
    expect(shape([message(1), notice, message(3)])).toBe("day (1) notice (3)");
  });

  it("has keys that differ", () => {
    const keys = buildRows([message(1), message(2, { at: new Date(2026, 0, 6) })], { unreadAfter: 0 }).map(
      (row) => row.key,
    );
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe("counts", () => {
  it("counts what others said after a place, without what is deleted", () => {
    expect(countNew([message(1), message(2, own), message(3), message(4, { deleted: true })], 1)).toBe(1);
    expect(countNew([message(1)], 1)).toBe(0);
  });

  it("knows the newest seq; an unsent message has none", () => {
    expect(lastSeq([message(4), message(0, { ...own, seq: null })])).toBe(4);
    expect(lastSeq([])).toBe(0);
  });

  it("finds the message that ArrowUp edits", () => {
    const entries = [
      message(1, own),
      message(2),
      message(3, { ...own, deleted: true }),
      message(4, { ...own, id: null }),
    ];
    expect(lastEditable(entries)?.seq).toBe(1);
    expect(lastEditable([message(2)])).toBeNull();
  });
});

it("gathers rows by day", () => {
  const rows = buildRows(
    [message(1), message(2, { at: new Date(2026, 0, 6) }), message(3, { at: new Date(2026, 0, 6) })],
    {
      unreadAfter: null,
    },
  );
  expect(groupByDay(rows).map(({ key, rows: inside }) => [key, inside.length])).toEqual([
    ["day-2026-1-5", 1],
    ["day-2026-1-6", 2],
  ]);
});
