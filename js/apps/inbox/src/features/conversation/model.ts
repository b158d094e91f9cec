// From messages to rows: day separators, the unread divider, and bubbles grouped by who speaks.
import { daysBetween } from "../../i18n/dates";

export type Delivery = "pending" | "queued" | "failed" | "sent" | "delivered" | "read";

export interface Quote {
  id: number;
  name: string;
  /** null when it is deleted or not to be had. */
  text: string | null;
}

export interface MessageEntry {
  kind: "message";
  /** The same before and after the server has confirmed it. */
  key: string;
  id: number | null;
  seq: number | null;
  senderId: string;
  senderName: string;
  /** What the colour of the sender is taken from. */
  senderSeed: string;
  own: boolean;
  /** null in a tombstone. */
  text: string | null;
  at: Date;
  edited: boolean;
  deleted: boolean;
  delivery: Delivery;
  /** How many have read one's own message in a group. */
  readBy: number;
  error: string | null;
  quote: Quote | null;
}

export interface NoticeEntry {
  kind: "notice";
  key: string;
  seq: number | null;
  text: string;
  at: Date;
}

export type Entry = MessageEntry | NoticeEntry;

export type Row =
  | { kind: "day"; key: string; at: Date }
  | { kind: "unread"; key: string }
  | { kind: "notice"; key: string; text: string }
  | { kind: "message"; key: string; entry: MessageEntry; first: boolean; last: boolean };

/** Messages of one person closer than this stand together. */
const TOGETHER_MS = 5 * 60_000;

export interface RowOptions {
  /** The divider stands before the first message of others after this seq; null: no divider. */
  unreadAfter: number | null;
}

export function buildRows(entries: readonly Entry[], { unreadAfter }: RowOptions): readonly Row[] {
  const rows: Row[] = [];
  let previous: Entry | null = null;
  let divided = false;
  for (const entry of entries) {
    const newDay = previous === null || daysBetween(previous.at, entry.at) !== 0;
    if (newDay) rows.push({ kind: "day", key: `day-${dayKey(entry.at)}`, at: entry.at });
    let divider = false;
    if (!divided && unreadAfter !== null && isUnread(entry, unreadAfter)) {
      divided = true;
      divider = true;
      rows.push({ kind: "unread", key: "unread" });
    }
    if (entry.kind === "notice") {
      rows.push({ kind: "notice", key: entry.key, text: entry.text });
    } else {
      const joins = !newDay && !divider && previous !== null && belongTogether(previous, entry);
      const before = rows[rows.length - 1];
      if (joins && before?.kind === "message") rows[rows.length - 1] = { ...before, last: false };
      rows.push({ kind: "message", key: entry.key, entry, first: !joins, last: true });
    }
    previous = entry;
  }
  return rows;
}

function belongTogether(a: Entry, b: MessageEntry): boolean {
  return a.kind === "message" && a.senderId === b.senderId && b.at.getTime() - a.at.getTime() < TOGETHER_MS;
}

function isUnread(entry: Entry, after: number): boolean {
  return entry.kind === "message" && !entry.own && entry.seq !== null && entry.seq > after;
}

function dayKey(at: Date): string {
  return `${at.getFullYear()}-${at.getMonth() + 1}-${at.getDate()}`;
}

export interface DayGroup {
  key: string;
  at: Date | null;
  rows: readonly Row[];
}

/** Each day with what was said on it: its separator goes with it. */
export function groupByDay(rows: readonly Row[]): readonly DayGroup[] {
  const groups: { key: string; at: Date | null; rows: Row[] }[] = [];
  for (const row of rows) {
    if (row.kind === "day") groups.push({ key: row.key, at: row.at, rows: [] });
    else {
      if (groups.length === 0) groups.push({ key: "day-none", at: null, rows: [] });
      groups[groups.length - 1]?.rows.push(row);
    }
  }
  return groups;
}

/** Messages of others that came after `seq` and still stand. */
export function countNew(entries: readonly Entry[], seq: number): number {
  let count = 0;
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i];
    if (entry === undefined || entry.kind !== "message") continue;
    if (entry.seq !== null && entry.seq <= seq) break;
    if (!entry.own && !entry.deleted) count += 1;
  }
  return count;
}

/** The newest seq that the server has given; 0 when there is none. */
export function lastSeq(entries: readonly Entry[]): number {
  let last = 0;
  for (const entry of entries) if (entry.seq !== null && entry.seq > last) last = entry.seq;
  return last;
}

/** The newest own message that can still be edited. */
export function lastEditable(entries: readonly Entry[]): MessageEntry | null {
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i];
    if (entry?.kind === "message" && entry.own && entry.id !== null && !entry.deleted) return entry;
  }
  return null;
}
