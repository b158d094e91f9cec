// Presence as pure functions: who is there, by user id.
import type { Conversation, PresenceEntry, PresenceStatus, Timestamp } from "../protocol/wire.js";

export type PresenceState = ReadonlyMap<string, PresenceEntry>;

/** What `resume` tells: everybody who is not named is offline. When they were last seen is kept. */
export function replacePresence(from: PresenceState, entries: readonly PresenceEntry[]): PresenceState {
  const next = new Map<string, PresenceEntry>();
  for (const [id, entry] of from) {
    if (entry.last_seen !== null) {
      next.set(id, entry.status === "offline" ? entry : { ...entry, status: "offline" });
    }
  }
  for (const entry of entries) {
    next.set(entry.user_id, entry);
  }
  return next;
}

export function applyPresence(
  from: PresenceState,
  event: { user_id: string; status: PresenceStatus; last_seen: Timestamp | null },
): PresenceState {
  const known = from.get(event.user_id);
  if (known?.status === event.status && known.last_seen === event.last_seen) {
    return from;
  }
  const entry = { user_id: event.user_id, status: event.status, last_seen: event.last_seen };
  return new Map(from).set(event.user_id, entry);
}

/**
 * What a loaded conversation says of its participants; events know better. Of one with more than `most` nobody is told
 * when that changes, so it is not taken.
 */
export function fillPresence(
  from: PresenceState,
  conversation: Pick<Conversation, "participants" | "participant_count">,
  most: number,
): PresenceState {
  if (conversation.participant_count > most) {
    return from;
  }
  let next: Map<string, PresenceEntry> | undefined;
  for (const { user_id, status, last_seen } of conversation.participants) {
    if (status !== undefined && !from.has(user_id)) {
      next ??= new Map(from);
      next.set(user_id, { user_id, status, last_seen: last_seen ?? null });
    }
  }
  return next ?? from;
}
