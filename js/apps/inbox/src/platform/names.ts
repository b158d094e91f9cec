// What conversations and people are called on the screen.
import type { Conversation, Participant, PresenceEntry, PresenceStatus, User } from "@parlour/client";
import { t } from "../i18n";

export function displayName(user: Pick<User, "name" | "username" | "id">): string {
  return user.name.trim() || user.username.trim() || user.id;
}

/** What the colour of somebody's picture is taken from: the same before and after signing in. */
export function seedOf(user: Pick<User, "username" | "id">): string {
  return user.username || user.id;
}

/** Everybody but oneself. */
export function othersIn(conversation: Conversation, me: string): readonly Participant[] {
  return conversation.participants.filter((participant) => participant.user_id !== me);
}

/** The title; of a direct conversation the other's name, of a group without one its people. */
export function conversationTitle(conversation: Conversation, me: string): string {
  const title = conversation.title?.trim();
  if (title) return title;
  const others = othersIn(conversation, me).map((participant) => displayName(participant.user));
  if (conversation.kind === "direct") return others[0] ?? t("conversation.unknown");
  return others.length > 0 ? others.slice(0, 3).join(", ") : t("conversation.untitled");
}

/** What the colour of its picture is taken from. */
export function conversationSeed(conversation: Conversation, me: string): string {
  const other = othersIn(conversation, me)[0];
  if (conversation.kind === "direct") return other ? seedOf(other.user) : "?";
  return `group-${conversation.id}`;
}

export interface Standing {
  status: PresenceStatus;
  lastSeen: Date | null;
}

/** Who is not known to be there is offline; the list of participants may know when he was last seen. */
export function standingOf(participant: Participant, presence: ReadonlyMap<string, PresenceEntry>): Standing {
  const entry = presence.get(participant.user_id);
  const seen = entry?.last_seen ?? participant.last_seen ?? null;
  return { status: entry?.status ?? "offline", lastSeen: seen === null ? null : new Date(seen) };
}
