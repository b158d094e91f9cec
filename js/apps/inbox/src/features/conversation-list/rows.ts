// From the SDK's conversations to rows of the list.
import type { Conversation, PresenceEntry, Timeline, TypingUser } from "@parlour/client";
import { t } from "../../i18n";
import { conversationSeed, conversationTitle, displayName, othersIn, standingOf } from "../../platform/names";
import { type Delivery, type ListRow, type Preview, previewText } from "./model";

export interface RowSources {
  me: string;
  presence: ReadonlyMap<string, PresenceEntry>;
  timeline: Timeline | undefined;
  typing: readonly TypingUser[];
  draft: string;
  /** The open conversation shows its draft itself. */
  open: boolean;
  online: boolean;
  /** There is no connection: nobody knows who is there. */
  apart: boolean;
}

export function toRow(conversation: Conversation, sources: RowSources): ListRow {
  const { me } = sources;
  const others = othersIn(conversation, me);
  const other = conversation.kind === "direct" ? others[0] : undefined;
  const unsent = lastUnsent(sources.timeline);
  return {
    id: conversation.id,
    title: conversationTitle(conversation, me),
    seed: conversationSeed(conversation, me),
    group: conversation.kind === "group",
    presence: other && !sources.apart ? standingOf(other, sources.presence).status : null,
    preview: previewOf(conversation, sources, unsent?.content ?? null),
    delivery: unsent ? unsentDelivery(unsent.state.status, sources.online) : ownDelivery(conversation, me),
    at: new Date(unsent ? unsent.createdAt : conversation.active_at),
    unread: conversation.unread_count,
    keywords: [...others.flatMap(({ user }) => [user.name, user.username]), conversation.subject ?? ""],
  };
}

function previewOf(conversation: Conversation, sources: RowSources, unsent: string | null): Preview {
  const first = sources.typing[0];
  if (first) {
    const direct = conversation.kind === "direct";
    const name = displayName(first.user);
    return { kind: "typing", text: direct ? t("typing.short") : t("typing.one", { name }) };
  }
  if (!sources.open && sources.draft.trim() !== "")
    return { kind: "draft", text: previewText(sources.draft) };
  if (unsent !== null) return { kind: "text", by: t("message.you"), text: previewText(unsent) };
  const last = conversation.last_message;
  if (last === null) return { kind: "nothing" };
  if (last.deleted_at !== null || last.content === null) return { kind: "deleted" };
  const own = last.sender_id === sources.me;
  const by =
    last.type === "system"
      ? null
      : own
        ? t("message.you")
        : conversation.kind === "group"
          ? firstName(displayName(last.sender))
          : null;
  return { kind: "text", by, text: previewText(last.content) };
}

function ownDelivery(conversation: Conversation, me: string): Delivery | null {
  const last = conversation.last_message;
  if (last === null || last.sender_id !== me || last.deleted_at !== null || last.type === "system")
    return null;
  const others = othersIn(conversation, me);
  if (others.length === 0) return "sent";
  if (others.every((other) => other.read_seq >= last.seq)) return "read";
  return others.every((other) => Math.max(other.delivered_seq, other.read_seq) >= last.seq)
    ? "delivered"
    : "sent";
}

type Unsent = Extract<Timeline["items"][number], { kind: "pending" }>;

function lastUnsent(timeline: Timeline | undefined): Unsent | null {
  const last = timeline?.items[timeline.items.length - 1];
  return last?.kind === "pending" ? last : null;
}

function unsentDelivery(status: Unsent["state"]["status"], online: boolean): Delivery {
  if (status === "failed") return "failed";
  return online ? "pending" : "queued";
}

function firstName(name: string): string {
  return name.split(/\s/u)[0] ?? name;
}
