// What a view draws of a timeline: confirmed messages with their ticks, then the unsent ones. Pure.
import type { MessageItem, PendingItem, TimelineItem } from "../api.js";
import type { Message, Participant } from "../protocol/wire.js";
import { tickOf } from "./receipts.js";

export interface ItemSources {
  readonly messages: readonly Message[];
  readonly pending: readonly PendingItem[];
  readonly participants: readonly Participant[];
  readonly me: string | null;
}

/** An item that stays the same stays the same object, so that memoised views stay too. */
export function buildItems(previous: readonly TimelineItem[], sources: ItemSources): readonly TimelineItem[] {
  const { messages, pending, participants, me } = sources;
  const kept = new Map(previous.map((item) => [item.key, item]));
  const confirmed = new Set<string>();
  const items: TimelineItem[] = messages.map((message) => {
    const mine = message.sender_id === me;
    if (mine && message.client_id !== null) {
      confirmed.add(message.client_id);
    }
    const tick = mine && me !== null ? tickOf(message.seq, participants, me) : null;
    const key = keyOf(message, mine);
    const old = kept.get(key);
    return old?.kind === "message" && old.message === message && old.tick === tick && old.mine === mine
      ? old
      : ({ kind: "message", key, message, mine, tick } satisfies MessageItem);
  });
  for (const entry of pending) {
    // The reply or the event, whichever is first, takes the place of the unsent one.
    if (!confirmed.has(entry.clientId)) {
      items.push(entry);
    }
  }
  const same = items.length === previous.length && items.every((item, at) => item === previous[at]);
  return same ? previous : items;
}

function keyOf(message: Message, mine: boolean): string {
  return mine && message.client_id !== null ? pendingKey(message.client_id) : `m${message.id}`;
}

export function pendingKey(clientId: string): string {
  return `c${clientId}`;
}
