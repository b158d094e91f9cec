// The header's two lines: who it is with, and what they are doing just now.
import type { Conversation, PresenceEntry, TypingUser } from "@parlour/client";
import { t } from "../../i18n";
import { formatSeen } from "../../i18n/dates";
import { conversationSeed, conversationTitle, displayName, othersIn, standingOf } from "../../platform/names";
import type { ConversationHeader } from "./conversation-view";

export function typingText(users: readonly TypingUser[]): string | null {
  const [a, b] = users.map(({ user }) => displayName(user));
  if (a === undefined) return null;
  if (b === undefined) return t("typing.one", { name: a });
  if (users.length === 2) return t("typing.two", { a, b });
  return t("typing.many", { a, count: users.length - 1 });
}

export function headerOf(
  conversation: Conversation,
  me: string,
  presence: ReadonlyMap<string, PresenceEntry>,
  typing: readonly TypingUser[],
  now: Date,
  apart: boolean,
): ConversationHeader {
  const group = conversation.kind === "group";
  const writing = typingText(typing);
  const others = othersIn(conversation, me);
  const other = group ? undefined : others[0];
  const standing = other ? standingOf(other, presence) : null;
  return {
    title: conversationTitle(conversation, me),
    seed: conversationSeed(conversation, me),
    group,
    // Without a connection nobody knows who is there.
    presence: apart ? null : (standing?.status ?? null),
    status: writing ?? (apart ? t("presence.unknown") : statusText(conversation, me, presence, now)),
    typing: writing !== null,
  };
}

export function statusText(
  conversation: Conversation,
  me: string,
  presence: ReadonlyMap<string, PresenceEntry>,
  now: Date,
): string {
  const others = othersIn(conversation, me);
  if (conversation.kind === "group") {
    const people = t("conversation.members", { count: conversation.participant_count });
    const there = others.filter((other) => standingOf(other, presence).status === "online").length;
    return there === 0 ? people : t("conversation.members.online", { people, count: there + 1 });
  }
  const other = others[0];
  if (!other) return "";
  const { status, lastSeen } = standingOf(other, presence);
  if (status === "offline" && lastSeen) return t("presence.seen", { when: formatSeen(lastSeen, now) });
  return t(`presence.${status}`);
}
