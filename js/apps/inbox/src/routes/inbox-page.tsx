// The inbox: puts the features side by side and lets them know of each other only through what is open.
import type { Me } from "@parlour/client";
import { useClient, useConversations, useStore } from "@parlour/react";
import type { JSX } from "preact";
import { useSyncExternalStore } from "preact/compat";
import { useCallback, useMemo, useState } from "preact/hooks";
import { Composer } from "../features/composer/composer";
import { Drafts } from "../features/composer/model";
import { Banner } from "../features/connection/banner";
import { Conversation, Missing } from "../features/conversation/conversation";
import { refusal } from "../features/conversation/entries";
import { statusText } from "../features/conversation/header";
import { ConversationList } from "../features/conversation-list/conversation-list";
import { Details } from "../features/people/details";
import { NewConversation } from "../features/people/new-conversation";
import { loadPreferences } from "../features/settings/model";
import { Settings } from "../features/settings/settings";
import { t } from "../i18n";
import { conversationTitle, seedOf } from "../platform/names";
import { useIdle, useNow, usePageTitle } from "../platform/page";
import { Button } from "../ui/button";
import { Empty } from "../ui/state";
import { Toast } from "../ui/toast";
import { navigate, type Route } from "./router";
import { Shell } from "./shell";
import { useNotifications } from "./use-notifications";

/** The server tells the true one; this is its default. */
const CONTENT_BYTES = 16_384;

export interface InboxPageProps {
  me: Me;
  route: Route;
  onSignOut: () => void;
}

export function InboxPage({ me: signedIn, route, onSignOut }: InboxPageProps): JSX.Element {
  const client = useClient();
  const [name, setName] = useState<string | null>(null);
  const me = useMemo(() => ({ ...signedIn, name: name ?? signedIn.name }), [signedIn, name]);
  const [preferences, setPreferences] = useState(() => loadPreferences(localStorage));
  const [dialog, setDialog] = useState<"new" | "settings" | null>(null);
  const [detailsOpen, setDetailsOpen] = useState(false);
  const [toast, setToast] = useState<string | null>(null);
  const drafts = useMemo(() => new Drafts(), []);
  const draftVersion = useSyncExternalStore(drafts.subscribe, drafts.version);
  const open = route.page === "conversation" ? route.id : null;
  const { totalUnread, items } = useConversations();
  const presence = useStore(client.presence);
  const now = useNow();
  const current = items.find((item) => item.id === open) ?? null;

  usePageTitle(totalUnread, current ? conversationTitle(current, me.id) : null);
  useNotifications(me.id, open, preferences.sound);
  useIdle(useCallback((idle: boolean) => client.setAway(idle), [client]));

  const openConversation = (id: number): void => {
    setDialog(null);
    if (id !== open) setDetailsOpen(false);
    navigate({ page: "conversation", id });
  };
  const goHome = (): void => {
    setDetailsOpen(false);
    navigate({ page: "home" });
  };
  const hideToast = useCallback(() => setToast(null), []);

  return (
    <>
      <Shell
        screen={route.page === "conversation" || route.page === "missing" ? "conversation" : "list"}
        me={{ name: me.name, seed: seedOf(me) }}
        banner={<Banner />}
        list={
          <ConversationList
            me={me.id}
            selected={open}
            draftOf={(id) => drafts.get(id)}
            draftVersion={draftVersion}
            onOpen={openConversation}
            onNew={() => setDialog("new")}
          />
        }
        panel={
          open !== null && detailsOpen ? (
            <Details
              key={open}
              id={open}
              me={me.id}
              status={current ? statusText(current, me.id, presence, now) : ""}
              onClose={() => setDetailsOpen(false)}
              onLeft={goHome}
            />
          ) : null
        }
        onNew={() => setDialog("new")}
        onSettings={() => setDialog("settings")}
      >
        {open !== null ? (
          <Conversation
            key={open}
            id={open}
            me={me.id}
            detailsOpen={detailsOpen}
            onBack={goHome}
            onDetails={() => setDetailsOpen(!detailsOpen)}
            onFailed={setToast}
            composer={(port) => (
              <Composer
                {...port}
                drafts={drafts}
                maxBytes={CONTENT_BYTES}
                onEditFailed={(code) => setToast(t("message.edit.failed", { why: t(refusal(code)) }))}
              />
            )}
          />
        ) : route.page === "missing" ? (
          <Missing onBack={goHome} />
        ) : (
          <Welcome onNew={() => setDialog("new")} />
        )}
      </Shell>
      {dialog === "new" ? (
        <NewConversation me={me.id} onCreated={openConversation} onClose={() => setDialog(null)} />
      ) : null}
      {dialog === "settings" ? (
        <Settings
          me={me}
          preferences={preferences}
          onPreferences={setPreferences}
          onRenamed={setName}
          onSignOut={onSignOut}
          onClose={() => setDialog(null)}
        />
      ) : null}
      <Toast text={toast} onGone={hideToast} />
    </>
  );
}

function Welcome({ onNew }: { onNew: () => void }): JSX.Element {
  return (
    <main id="conversation">
      <Empty
        icon="bubble"
        heading="h1"
        title={t("conversation.pick.title")}
        text={t("conversation.pick.text")}
      >
        <Button icon="compose" onClick={onNew}>
          {t("list.new")}
        </Button>
      </Empty>
    </main>
  );
}
