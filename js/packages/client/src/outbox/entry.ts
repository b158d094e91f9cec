// One unsent message: what is kept of it, and what a view sees.
import type { PendingItem, PendingState } from "../api.js";
import type { Metadata } from "../protocol/wire.js";
import { pendingKey } from "../state/items.js";

export interface OutboxEntry {
  /** The key of its record: begins with its owner, and sorts in the order of sending. */
  readonly key: string;
  readonly clientId: string;
  readonly conversationId: number;
  readonly content: string;
  readonly replyTo: number | null;
  readonly metadata: Metadata | undefined;
  readonly createdAt: number;
  readonly state: PendingState;
  /** It was on its way at least once, so the server may have it. */
  readonly attempted: boolean;
  /** It is kept where a reload finds it (or that has failed, and memory must do). Nothing is sent before. */
  readonly kept: boolean;
  readonly item: PendingItem;
}

export type EntryFields = Omit<OutboxEntry, "item">;

export function makeEntry(fields: EntryFields): OutboxEntry {
  const { clientId, content, replyTo, createdAt, state } = fields;
  const key = pendingKey(clientId);
  return { ...fields, item: { kind: "pending", key, clientId, content, replyTo, createdAt, state } };
}

/** What is stored: a message on its way is stored as waiting, for after a reload nobody knows. */
export function toRecord(entry: OutboxEntry): unknown {
  const { item: _item, key: _key, kept: _kept, state, ...fields } = entry;
  return { ...fields, state: state.status === "sending" ? { status: "pending" } : state };
}

/** `null` for what is no record of ours. */
export function fromRecord(key: string, value: unknown): OutboxEntry | null {
  if (typeof value !== "object" || value === null) {
    return null;
  }
  const fields = value as Partial<EntryFields>;
  const { clientId, conversationId, content, state } = fields;
  if (
    typeof clientId !== "string" ||
    typeof conversationId !== "number" ||
    typeof content !== "string" ||
    typeof state?.status !== "string"
  ) {
    return null;
  }
  return makeEntry({
    key,
    clientId,
    conversationId,
    content,
    state,
    replyTo: fields.replyTo ?? null,
    metadata: fields.metadata,
    createdAt: fields.createdAt ?? 0,
    attempted: fields.attempted ?? true,
    kept: true,
  });
}

/** Keys sort as their numbers do. */
export function recordKey(owner: string, order: number, clientId: string): string {
  return `${ownerPrefix(owner)}${String(order).padStart(16, "0")}:${clientId}`;
}

export function ownerPrefix(owner: string): string {
  return `send:${encodeURIComponent(owner)}:`;
}

export function orderOf(key: string): number {
  const parts = key.split(":");
  return Number(parts[2] ?? 0);
}
