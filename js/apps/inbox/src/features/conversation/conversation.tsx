// Connects one conversation with the SDK: its messages, what one may do with them, and where one reads.
import type { Conversation as ConversationData, ConversationHandle } from "@parlour/client";
import { useClient, useConnection, useConversation, useStore, useTimeline, useTyping } from "@parlour/react";
import type { ComponentChildren, JSX } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import { t } from "../../i18n";
import { conversationTitle } from "../../platform/names";
import { useNow } from "../../platform/page";
import { Button } from "../../ui/button";
import { Confirm } from "../../ui/dialog";
import { Menu, type MenuItem } from "../../ui/menu";
import { Empty } from "../../ui/state";
import { ConversationView, WriteNotice } from "./conversation-view";
import { createEntries } from "./entries";
import { headerOf, typingText } from "./header";
import type { MessageActions } from "./message-view";
import { buildRows, lastEditable, type MessageEntry } from "./model";
import { TimelineView } from "./timeline-view";
import { useQuotes } from "./use-quotes";
import { useReading } from "./use-reading";
import { useWindow } from "./use-window";

/** What the composer is given; another feature draws it. */
export interface ComposerPort {
  handle: ConversationHandle;
  title: string;
  editing: MessageEntry | null;
  replying: MessageEntry | null;
  onSent: () => void;
  onCancel: () => void;
  onEditLast: () => void;
}

export interface ConversationProps {
  id: number;
  me: string;
  detailsOpen: boolean;
  onBack: () => void;
  onDetails: () => void;
  onFailed: (text: string) => void;
  composer: (port: ComposerPort) => ComponentChildren;
}

/** Has to be given a key of its id: everything in it belongs to one conversation. */
export function Conversation(props: ConversationProps): JSX.Element {
  const { id, me } = props;
  const client = useClient();
  const conversation = useConversation(id);
  const timeline = useTimeline(id);
  const { status, error, hasOlder, hasNewer, loadingOlder, conversation: handle } = timeline;
  const items = useWindow(handle, conversation, timeline);
  const typing = useTyping(id);
  const presence = useStore(client.presence);
  const connection = useConnection().status;
  const online = connection === "open";
  const apart = connection === "offline" || connection === "waiting" || connection === "closed";
  const now = useNow();

  const makeEntries = useRef(createEntries());
  const fetched = useQuotes(items);
  const entries = useMemo(
    () => makeEntries.current({ items, conversation, me, online, fetched }),
    [items, conversation, me, online, fetched],
  );
  const reading = useReading(handle, conversation, entries, hasNewer);
  const rows = useMemo(
    () => buildRows(entries, { unreadAfter: reading.unreadAfter }),
    [entries, reading.unreadAfter],
  );

  const [editing, setEditing] = useState<MessageEntry | null>(null);
  const [replying, setReplying] = useState<MessageEntry | null>(null);
  const [menu, setMenu] = useState<{ entry: MessageEntry; anchor: DOMRect } | null>(null);
  const [deleting, setDeleting] = useState<MessageEntry | null>(null);
  const [jump, setJump] = useState<{ id: number; at: number } | null>(null);
  const [sends, setSends] = useState(0);
  const [olderFailed, setOlderFailed] = useState(false);

  const edit = (entry: MessageEntry): void => {
    setReplying(null);
    setEditing(entry);
  };
  const reply = (entry: MessageEntry): void => {
    setEditing(null);
    setReplying(entry);
  };
  const loadOlder = (): void => {
    setOlderFailed(false);
    handle.loadOlder().catch(() => setOlderFailed(true));
  };
  const jumpTo = async (message: number): Promise<void> => {
    const there = items.some((item) => item.kind === "message" && item.message.id === message);
    const seq = there ? null : (fetched.get(message)?.seq ?? null);
    if (!there && seq === null) return;
    if (seq !== null) await handle.loadAround(seq).catch(() => props.onFailed(t("conversation.older.error")));
    setJump({ id: message, at: Date.now() });
  };
  const latest = useRef({ jumpTo, reply });
  latest.current = { jumpTo, reply };
  const actions = useMemo<MessageActions>(
    () => ({
      onMenu: (entry, anchor) => setMenu({ entry, anchor }),
      onReply: (entry) => latest.current.reply(entry),
      onJump: (message) => void latest.current.jumpTo(message),
      onRetry: (entry) => void handle.retry(entry.key.slice(1)),
      onDiscard: (entry) => void handle.discard(entry.key.slice(1)),
    }),
    [handle],
  );

  const missing = error?.code === "not_found" || error?.code === "forbidden";
  if (missing || (conversation === null && status === "ready")) return <Missing onBack={props.onBack} />;

  const title = conversation ? conversationTitle(conversation, me) : "";
  const writable = conversation === null || conversation.state === "open";
  return (
    <>
      <ConversationView
        header={conversation ? headerOf(conversation, me, presence, typing, now, apart) : null}
        detailsOpen={props.detailsOpen}
        onBack={props.onBack}
        onDetails={props.onDetails}
        timeline={
          <TimelineView
            rows={rows}
            status={
              status === "idle" || (items.length === 0 && timeline.items.length > 0) ? "loading" : status
            }
            group={conversation?.kind === "group"}
            hasOlder={hasOlder}
            loadingOlder={loadingOlder}
            olderFailed={olderFailed}
            hasNewer={hasNewer}
            newCount={reading.newCount}
            typing={typingText(typing)}
            now={now}
            announcement={reading.announcement}
            actions={actions}
            jump={jump}
            sends={sends}
            onOlder={loadOlder}
            onNewer={() => {
              handle.loadNewer().catch(() => undefined);
            }}
            onSeen={reading.onSeen}
            onLatest={() => {
              handle.loadAround("latest").then(
                () => setSends((count) => count + 1),
                () => undefined,
              );
            }}
            onRetry={() => {
              handle.load().catch(() => undefined);
            }}
          />
        }
        composer={
          writable ? (
            props.composer({
              handle,
              title,
              editing,
              replying,
              onSent: () => {
                setReplying(null);
                reading.onAnswered();
                if (hasNewer) handle.loadAround("latest").catch(() => undefined);
                setSends((count) => count + 1);
              },
              onCancel: () => {
                setEditing(null);
                setReplying(null);
              },
              onEditLast: () => {
                const last = lastEditable(entries);
                if (last) edit(last);
              },
            })
          ) : (
            <StateNotice conversation={conversation} />
          )
        }
      />
      {menu ? (
        <Menu
          label={t("message.actions")}
          anchor={menu.anchor}
          items={menuItems(menu.entry, writable, { edit, reply, remove: setDeleting })}
          onClose={() => setMenu(null)}
        />
      ) : null}
      {deleting ? (
        <Confirm
          title={t("message.delete.title")}
          text={t("message.delete.text")}
          confirm={t("message.delete.confirm")}
          onClose={() => setDeleting(null)}
          onConfirm={() => {
            if (deleting.id !== null)
              handle.delete(deleting.id).catch(() => props.onFailed(t("message.delete.failed")));
          }}
        />
      ) : null}
    </>
  );
}

interface Doing {
  edit: (entry: MessageEntry) => void;
  reply: (entry: MessageEntry) => void;
  remove: (entry: MessageEntry) => void;
}

function menuItems(entry: MessageEntry, writable: boolean, doing: Doing): readonly MenuItem[] {
  const { text } = entry;
  const stored = entry.id !== null && !entry.deleted;
  const items: (MenuItem | false)[] = [
    stored &&
      writable && { id: "reply", label: t("message.reply"), icon: "reply", run: () => doing.reply(entry) },
    stored &&
      writable &&
      entry.own && { id: "edit", label: t("message.edit"), icon: "edit", run: () => doing.edit(entry) },
    text !== null && {
      id: "copy",
      label: t("message.copy"),
      icon: "copy",
      run: () => void navigator.clipboard?.writeText(text).catch(() => undefined),
    },
    stored &&
      entry.own && {
        id: "delete",
        label: t("message.delete"),
        icon: "trash",
        danger: true,
        run: () => doing.remove(entry),
      },
  ];
  return items.filter((item) => item !== false);
}

function StateNotice({ conversation }: { conversation: ConversationData }): JSX.Element {
  return (
    <WriteNotice
      text={t(conversation.state === "closed" ? "conversation.closed" : "conversation.readonly")}
    />
  );
}

export function Missing({ onBack }: { onBack: () => void }): JSX.Element {
  return (
    <main id="conversation">
      <Empty
        icon="search"
        heading="h1"
        title={t("conversation.missing.title")}
        text={t("conversation.missing.text")}
      >
        <Button kind="primary" onClick={onBack}>
          {t("conversation.missing.action")}
        </Button>
      </Empty>
    </main>
  );
}
