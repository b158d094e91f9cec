// Connects the details panel with the SDK: who is in it, leaving, adding, removing, blocking.
import { useClient, useConversation, useStore } from "@parlour/react";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { t } from "../../i18n";
import { formatDate } from "../../i18n/dates";
import { conversationSeed, conversationTitle, displayName, othersIn, standingOf } from "../../platform/names";
import { useNow } from "../../platform/page";
import { Confirm } from "../../ui/dialog";
import { DetailsView } from "./details-view";
import { type Member, rightsOf } from "./model";
import { AddPeople } from "./new-conversation";

export interface DetailsProps {
  id: number;
  me: string;
  status: string;
  onClose: () => void;
  onLeft: () => void;
}

type Asking = { what: "leave" } | { what: "block" } | { what: "remove"; member: Member };

export function Details({ id, me, status, onClose, onLeft }: DetailsProps): JSX.Element | null {
  const client = useClient();
  const conversation = useConversation(id);
  const presence = useStore(client.presence);
  const now = useNow();
  const [asking, setAsking] = useState<Asking | null>(null);
  const [adding, setAdding] = useState(false);
  const [failed, setFailed] = useState(false);
  const other = conversation?.kind === "direct" ? othersIn(conversation, me)[0] : undefined;
  const otherId = other?.user_id ?? null;
  const [blocked, setBlocked] = useBlocked(otherId);

  if (!conversation) return null;
  const group = conversation.kind === "group";
  const title = conversationTitle(conversation, me);
  const members: readonly Member[] = conversation.participants.map((participant) => {
    const self = participant.user_id === me;
    const standing = standingOf(participant, presence);
    return {
      id: participant.user_id,
      name: displayName(participant.user),
      username: participant.user.username,
      role: participant.role,
      presence: self ? "online" : standing.status,
      lastSeen: standing.lastSeen,
      self,
    };
  });
  const own = members.find((member) => member.self);
  const attempt = async (work: Promise<unknown>, then?: () => void): Promise<void> => {
    setFailed(false);
    await work.then(then, () => setFailed(true));
  };

  return (
    <>
      <DetailsView
        title={title}
        seed={conversationSeed(conversation, me)}
        group={group}
        subject={conversation.subject}
        since={formatDate(new Date(conversation.created_at))}
        status={status}
        members={members}
        memberCount={conversation.participant_count}
        rights={rightsOf(own?.role ?? null, group)}
        blocked={blocked}
        failed={failed}
        now={now}
        onClose={onClose}
        onAdd={() => setAdding(true)}
        onLeave={() => setAsking({ what: "leave" })}
        onRemove={(member) => setAsking({ what: "remove", member })}
        onBlock={() => setAsking({ what: "block" })}
        onUnblock={() => {
          if (otherId !== null) void attempt(client.blocks.remove(otherId), () => setBlocked(false));
        }}
      />
      {adding ? (
        <AddPeople
          conversation={id}
          members={new Set(members.map((member) => member.id))}
          onClose={() => setAdding(false)}
        />
      ) : null}
      {asking?.what === "leave" ? (
        <Confirm
          title={t("details.leave.title")}
          text={t("details.leave.text")}
          confirm={t("details.leave.confirm")}
          onClose={() => setAsking(null)}
          onConfirm={() => void attempt(client.conversations.leave(id), onLeft)}
        />
      ) : null}
      {asking?.what === "remove" ? (
        <Confirm
          title={t("details.remove.title", { name: asking.member.name })}
          text={t("details.remove.text", { name: asking.member.name })}
          confirm={t("details.remove.confirm")}
          onClose={() => setAsking(null)}
          onConfirm={() => void attempt(client.conversations.removeParticipant(id, asking.member.id))}
        />
      ) : null}
      {asking?.what === "block" && otherId !== null ? (
        <Confirm
          title={t("details.block.title", { name: title })}
          text={t("details.block.text")}
          confirm={t("details.block.confirm")}
          onClose={() => setAsking(null)}
          onConfirm={() => void attempt(client.blocks.add(otherId), () => setBlocked(true))}
        />
      ) : null}
    </>
  );
}

/** Whether one has blocked this person; null while that is not known. */
function useBlocked(userId: string | null): [boolean | null, (blocked: boolean) => void] {
  const client = useClient();
  const [blocked, setBlocked] = useState<boolean | null>(null);
  useEffect(() => {
    setBlocked(null);
    if (userId === null) return undefined;
    const stop = new AbortController();
    client.blocks.list({ signal: stop.signal }).then(
      (users) => {
        if (!stop.signal.aborted) setBlocked(users.some((user) => user.id === userId));
      },
      () => undefined,
    );
    return () => stop.abort();
  }, [client, userId]);
  return [blocked, setBlocked];
}
