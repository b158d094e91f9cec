// The stories of the gallery: one function for each page or state.
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { type ComposerMode, ComposerView } from "../src/features/composer/composer-view";
import { BannerView } from "../src/features/connection/banner-view";
import type { Banner } from "../src/features/connection/model";
import { type ConversationHeader, ConversationView } from "../src/features/conversation/conversation-view";
import { buildRows, type Entry } from "../src/features/conversation/model";
import { TimelineView } from "../src/features/conversation/timeline-view";
import { ConversationListView } from "../src/features/conversation-list/conversation-list-view";
import { DetailsView } from "../src/features/people/details-view";
import { type Person, rightsOf } from "../src/features/people/model";
import { NewConversationView } from "../src/features/people/new-conversation-view";
import { SettingsView } from "../src/features/settings/settings-view";
import { SignInView } from "../src/features/sign-in/sign-in-view";
import { Shell } from "../src/routes/shell";
import { Confirm } from "../src/ui/dialog";
import { Empty } from "../src/ui/state";
import { DIRECT, GROUP, MEMBERS, NOW, ROWS, UNSENT } from "./fixtures";

const nothing = (): void => undefined;
const actions = { onMenu: nothing, onReply: nothing, onJump: nothing, onRetry: nothing, onDiscard: nothing };
const bob: ConversationHeader = {
  title: "Bob Keller",
  seed: "2",
  group: false,
  presence: "online",
  status: "Online",
  typing: false,
};
const party: ConversationHeader = {
  title: "Garden party",
  seed: "g2",
  group: true,
  presence: null,
  status: "4 people, 2 online",
  typing: false,
};

interface FrameProps {
  screen?: "list" | "conversation";
  banner?: Banner;
  rows?: "rows" | "loading" | "error" | "empty";
  children?: ComponentChildren;
  panel?: ComponentChildren;
}

function Frame({
  screen = "conversation",
  banner = { kind: "none" },
  rows = "rows",
  children,
  panel = null,
}: FrameProps): JSX.Element {
  return (
    <Shell
      screen={screen}
      me={{ seed: "1", name: "Alice Moreau" }}
      banner={<BannerView banner={banner} onRetry={nothing} onReload={nothing} />}
      list={
        <ConversationListView
          rows={rows === "rows" ? ROWS : []}
          status={rows === "loading" ? "loading" : rows === "error" ? "error" : "ready"}
          selected={screen === "conversation" ? 1 : null}
          now={NOW}
          hasMore={false}
          onMore={nothing}
          onOpen={nothing}
          onNew={nothing}
          onRetry={nothing}
        />
      }
      panel={panel}
      onNew={nothing}
      onSettings={nothing}
    >
      {children ?? (
        <Empty
          icon="bubble"
          heading="h1"
          title="Your conversations"
          text="Choose one from the list, or start a new one."
        />
      )}
    </Shell>
  );
}

interface ThreadProps {
  entries: readonly Entry[];
  header?: ConversationHeader | null;
  status?: "loading" | "ready" | "error";
  unreadAfter?: number | null;
  typing?: string | null;
  newCount?: number;
  mode?: ComposerMode;
  text?: string;
}

function Thread(props: ThreadProps): JSX.Element {
  const header = props.header === undefined ? bob : props.header;
  const [text, setText] = useState(props.text ?? "");
  return (
    <ConversationView
      header={header}
      detailsOpen={false}
      onBack={nothing}
      onDetails={nothing}
      timeline={
        <TimelineView
          rows={buildRows(props.entries, { unreadAfter: props.unreadAfter ?? null })}
          status={props.status ?? "ready"}
          group={header?.group ?? false}
          hasOlder={false}
          loadingOlder={false}
          olderFailed={false}
          hasNewer={false}
          newCount={props.newCount ?? 0}
          typing={props.typing ?? null}
          now={NOW}
          announcement=""
          actions={actions}
          jump={null}
          sends={0}
          onOlder={nothing}
          onNewer={nothing}
          onSeen={nothing}
          onLatest={nothing}
          onRetry={nothing}
        />
      }
      composer={
        <ComposerView
          title={header?.title ?? ""}
          mode={props.mode ?? { kind: "write" }}
          text={text}
          maxBytes={16_384}
          focusKey="x"
          onText={setText}
          onSubmit={nothing}
          onCancel={nothing}
          onEditLast={nothing}
          onLeave={nothing}
        />
      }
    />
  );
}

const members = (group: boolean): JSX.Element => (
  <DetailsView
    title={group ? "Garden party" : "Bob Keller"}
    seed={group ? "g2" : "2"}
    group={group}
    subject={group ? null : "booking/42"}
    since="3 May 2026"
    status={group ? "4 people, 2 online" : "Online"}
    members={MEMBERS}
    memberCount={4}
    rights={rightsOf(group ? "owner" : "member", group)}
    blocked={group ? null : false}
    failed={false}
    now={NOW}
    onClose={nothing}
    onAdd={nothing}
    onLeave={nothing}
    onRemove={nothing}
    onBlock={nothing}
    onUnblock={nothing}
  />
);

function Choosing({ several }: { several: boolean }): JSX.Element {
  const people: readonly Person[] = MEMBERS.slice(1);
  const [query, setQuery] = useState("a");
  return (
    <NewConversationView
      query={query}
      status="ready"
      found={people}
      chosen={several ? people.slice(0, 2) : people.slice(0, 1)}
      onQuery={setQuery}
      onToggle={nothing}
      busy={false}
      failed={false}
      onCreate={nothing}
      onClose={nothing}
    />
  );
}

const demo = ["Alice Moreau", "Bob Keller", "Carol Mendes", "Dana Okafor"].map((name) => ({
  name,
  username: name.split(" ")[0]?.toLowerCase() ?? "",
  password: "demo",
}));
const signIn = { busy: false, error: null, notice: null, onSubmit: nothing } as const;

export const STORIES: Readonly<Record<string, () => JSX.Element>> = {
  "sign-in": () => <SignInView {...signIn} options={{ accounts: true, demo }} />,
  "sign-in-plain": () => (
    <SignInView {...signIn} options={{ accounts: true, demo: [] }} error="signin.error.credentials" />
  ),
  "sign-in-waiting": () => <SignInView {...signIn} options={null} />,
  home: () => <Frame screen="list" />,
  loading: () => (
    <Frame rows="loading">
      <Thread entries={[]} header={null} status="loading" />
    </Frame>
  ),
  error: () => (
    <Frame rows="error">
      <Thread entries={[]} status="error" />
    </Frame>
  ),
  "list-empty": () => <Frame screen="list" rows="empty" />,
  direct: () => (
    <Frame>
      <Thread entries={DIRECT} unreadAfter={8} typing="Bob is typing" />
    </Frame>
  ),
  group: () => (
    <Frame>
      <Thread
        entries={GROUP}
        header={party}
        mode={{ kind: "reply", name: "Carol Mendes", text: "I can bring the long table" }}
        text="I help carrying!"
      />
    </Frame>
  ),
  empty: () => (
    <Frame>
      <Thread entries={[]} />
    </Frame>
  ),
  editing: () => (
    <Frame>
      <Thread
        entries={DIRECT}
        mode={{ kind: "edit", text: "I can pick you up as well" }}
        text={"I can pick you up as well\nat any time"}
      />
    </Frame>
  ),
  offline: () => (
    <Frame banner={{ kind: "offline" }}>
      <Thread entries={UNSENT} />
    </Frame>
  ),
  waiting: () => (
    <Frame banner={{ kind: "waiting", seconds: 8 }}>
      <Thread entries={DIRECT} newCount={3} />
    </Frame>
  ),
  back: () => (
    <Frame banner={{ kind: "back" }}>
      <Thread entries={DIRECT} text={"x".repeat(16_300)} />
    </Frame>
  ),
  details: () => (
    <Frame panel={members(false)}>
      <Thread entries={DIRECT} />
    </Frame>
  ),
  "details-group": () => (
    <Frame panel={members(true)}>
      <Thread entries={GROUP} header={party} />
    </Frame>
  ),
  "new-direct": () => <Frame screen="list" panel={<Choosing several={false} />} />,
  "new-group": () => <Frame screen="list" panel={<Choosing several />} />,
  settings: () => (
    <Frame
      screen="list"
      panel={
        <SettingsView
          name="Alice Moreau"
          username="alice"
          userId="1"
          preferences={{ theme: "system", sound: true }}
          nameState="idle"
          canRename
          onName={nothing}
          onPreferences={nothing}
          onSignOut={nothing}
          onClose={nothing}
        />
      }
    />
  ),
  confirm: () => (
    <Frame>
      <Thread entries={DIRECT} />
      <Confirm
        title="Delete this message?"
        text="It disappears for everybody in the conversation. This cannot be undone."
        confirm="Delete for everybody"
        onConfirm={nothing}
        onClose={nothing}
      />
    </Frame>
  ),
};
