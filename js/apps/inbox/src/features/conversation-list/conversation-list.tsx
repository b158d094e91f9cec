// Connects the list with the SDK: conversations, presence, typing and drafts become rows.
import { useClient, useConnection, useConversations, useStore } from "@parlour/react";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { useNow } from "../../platform/page";
import { useStores } from "../../platform/use-stores";
import { ConversationListView } from "./conversation-list-view";
import { toRow } from "./rows";

export interface ConversationListProps {
  me: string;
  selected: number | null;
  draftOf: (conversation: number) => string;
  /** Changes whenever a draft has. */
  draftVersion: number;
  onOpen: (id: number) => void;
  onNew: () => void;
}

export function ConversationList(props: ConversationListProps): JSX.Element {
  const { me, selected, draftOf, draftVersion } = props;
  const client = useClient();
  const list = useConversations();
  const presence = useStore(client.presence);
  const connection = useConnection().status;
  const online = connection === "open";
  const apart = connection === "offline" || connection === "waiting" || connection === "closed";
  const now = useNow();
  const ids = list.items.map((conversation) => conversation.id).join(",");
  const handles = useMemo(
    () => (ids === "" ? [] : ids.split(",").map((id) => client.conversation(Number(id)))),
    [client, ids],
  );
  const timelines = useStores(useMemo(() => handles.map((handle) => handle.timeline), [handles]));
  const typings = useStores(useMemo(() => handles.map((handle) => handle.typing), [handles]));

  // Drafts are read anew when their version changes.
  const rows = useMemo(
    () =>
      list.items.map((conversation, index) =>
        toRow(conversation, {
          me,
          presence,
          timeline: timelines[index],
          typing: typings[index] ?? [],
          draft: draftOf(conversation.id),
          open: conversation.id === selected,
          online,
          apart,
        }),
      ),
    [list.items, me, presence, timelines, typings, draftVersion, selected, online, apart],
  );

  return (
    <ConversationListView
      rows={rows}
      status={list.status === "idle" ? "loading" : list.status}
      selected={selected}
      now={now}
      hasMore={list.hasMore}
      onMore={list.loadMore}
      onOpen={props.onOpen}
      onNew={props.onNew}
      onRetry={() => {
        client.conversations.load().catch(() => undefined);
      }}
    />
  );
}
