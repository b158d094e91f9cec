// From the SDK's timeline to the entries that the model knows; what has not changed stays the same object.
import type { Conversation, Message, MessageItem, PendingItem, TimelineItem } from "@parlour/client";
import { type Key, t } from "../../i18n";
import { displayName, othersIn, seedOf } from "../../platform/names";
import type { Entry, MessageEntry, NoticeEntry, Quote } from "./model";

export interface EntrySources {
  items: readonly TimelineItem[];
  conversation: Conversation | null;
  me: string;
  online: boolean;
  /** Answered messages that are not in the window; null when they are gone. */
  fetched: ReadonlyMap<number, Message | null>;
}

interface Kept {
  parts: readonly unknown[];
  entry: Entry;
}

/** Makes entries; one such function is kept for each conversation, with what it has made before. */
export function createEntries(): (sources: EntrySources) => readonly Entry[] {
  let kept = new Map<string, Kept>();
  return (sources) => {
    const byId = new Map<number, Message>();
    for (const item of sources.items) if (item.kind === "message") byId.set(item.message.id, item.message);
    const group = sources.conversation?.kind === "group";
    const readSeqs =
      group && sources.conversation
        ? othersIn(sources.conversation, sources.me).map((other) => other.read_seq)
        : [];
    const next = new Map<string, Kept>();
    const entries = sources.items.map((item) => {
      const answered = item.kind === "message" ? item.message.reply_to : item.replyTo;
      const original = answered === null ? undefined : (byId.get(answered) ?? sources.fetched.get(answered));
      const readBy =
        item.kind === "message" && item.mine ? readSeqs.filter((seq) => seq >= item.message.seq).length : 0;
      const parts = [item, original, readBy, item.kind === "pending" && sources.online];
      const before = kept.get(item.key);
      const same = before?.parts.every((part, index) => Object.is(part, parts[index])) ?? false;
      const entry =
        same && before
          ? before.entry
          : item.kind === "message"
            ? fromMessage(item, quoteOf(answered, original, sources.me), readBy)
            : fromPending(item, quoteOf(answered, original, sources.me), sources);
      next.set(item.key, { parts, entry });
      return entry;
    });
    kept = next;
    return entries;
  };
}

function fromMessage(item: MessageItem, quote: Quote | null, readBy: number): MessageEntry | NoticeEntry {
  const { message } = item;
  const at = new Date(message.created_at);
  if (message.type === "system" && message.content !== null) {
    return { kind: "notice", key: item.key, seq: message.seq, text: message.content, at };
  }
  return {
    kind: "message",
    key: item.key,
    id: message.id,
    seq: message.seq,
    senderId: message.sender_id,
    senderName: displayName(message.sender),
    senderSeed: seedOf(message.sender),
    own: item.mine,
    text: message.deleted_at === null ? message.content : null,
    at,
    edited: message.edited_at !== null,
    deleted: message.deleted_at !== null,
    delivery: item.tick ?? "sent",
    readBy,
    error: null,
    quote: message.deleted_at === null ? quote : null,
  };
}

function fromPending(item: PendingItem, quote: Quote | null, { me, online }: EntrySources): MessageEntry {
  const failed = item.state.status === "failed" ? item.state : null;
  return {
    kind: "message",
    key: item.key,
    id: null,
    seq: null,
    senderId: me,
    senderName: t("message.you"),
    senderSeed: me,
    own: true,
    text: item.content,
    at: new Date(item.createdAt),
    edited: false,
    deleted: false,
    delivery: failed ? "failed" : online ? "pending" : "queued",
    readBy: 0,
    error: failed ? t(refusal(failed.code)) : null,
    quote,
  };
}

function quoteOf(id: number | null, original: Message | null | undefined, me: string): Quote | null {
  if (id === null) return null;
  if (!original) return { id, name: t("message.quote.original"), text: original === null ? null : "…" };
  const name = original.sender_id === me ? t("message.you") : displayName(original.sender);
  return { id, name, text: original.deleted_at === null ? original.content : null };
}

const REFUSALS: Readonly<Record<string, Key>> = {
  blocked: "error.blocked",
  rate_limited: "error.rate_limited",
  too_long: "error.too_long",
  empty: "error.empty",
  forbidden: "error.forbidden",
  not_found: "error.not_found",
};

/** What a code of the server means to the one who wrote. */
export function refusal(code: string): Key {
  return REFUSALS[code] ?? "error.other";
}
