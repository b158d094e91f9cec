// The hooks on real React, over a real client on the fake server.
import { createClient, type ParlourClient } from "@parlour/client";
import { FakeDevice, FakeServer } from "@parlour/client/testing";
import { act, type ReactNode, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  ParlourProvider,
  useClient,
  useConnection,
  useConversation,
  useConversations,
  useMe,
  usePresence,
  useTimeline,
  useTyping,
} from "./index.js";

let server: FakeServer;
let root: Root;
let place: HTMLElement;

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

beforeEach(() => {
  server = new FakeServer();
  place = document.createElement("div");
  document.body.append(place);
  root = createRoot(place);
});

afterEach(async () => {
  await act(async () => root.unmount());
  place.remove();
});

function clientOf(userId: string): ParlourClient {
  const { platform } = new FakeDevice(server).openTab();
  return createClient({ url: "https://chat.test", getToken: async () => server.token(userId), platform });
}

async function show(client: ParlourClient, view: ReactNode): Promise<void> {
  await act(async () => {
    root.render(
      <StrictMode>
        <ParlourProvider client={client}>{view}</ParlourProvider>
      </StrictMode>,
    );
  });
  await pass(300);
}

async function pass(ms: number): Promise<void> {
  await act(() => server.clock.advance(ms));
}

test("connects while mounted, also under StrictMode, and disconnects after", async () => {
  function View() {
    return `${useConnection().status} ${useMe()?.name ?? "nobody"}`;
  }
  const client = clientOf("1");
  await show(client, <View />);
  expect(place.textContent).toBe("open Alice");
  await act(async () => root.render(null));
  await pass(100);
  expect(client.connection.getSnapshot().status).toBe("idle");
  expect(server.peers.size).toBe(0);
});

test("lists conversations and keeps them right", async () => {
  const conversation = server.createConversation(["1", "2"], "Trip");
  function View() {
    const { status, items, totalUnread } = useConversations();
    return `${status}: ${items.map((item) => `${item.title} ${item.unread_count}`).join()} of ${totalUnread}`;
  }
  await show(clientOf("1"), <View />);
  expect(place.textContent).toBe("ready: Trip 0 of 0");
  server.send(conversation, "2", "Hi");
  await pass(100);
  expect(place.textContent).toBe("ready: Trip 1 of 1");
});

test("shows a timeline, sends, and keeps keys from pending to sent", async () => {
  const conversation = server.createConversation(["1", "2"], "Trip");
  server.send(conversation, "2", "Hi");
  let renders = 0;
  function View() {
    const { items, conversation: handle } = useTimeline(conversation.id);
    const title = useConversation(conversation.id)?.title ?? "…";
    renders += 1;
    return (
      <>
        <h1>{title}</h1>
        <ul>
          {items.map((item) => (
            <li key={item.key}>
              {item.kind === "message"
                ? `${item.message.content} ${item.tick ?? ""}`
                : `${item.content} ${item.state.status}`}
            </li>
          ))}
        </ul>
        <button type="button" onClick={() => void handle.send("Hello")}>
          Send
        </button>
      </>
    );
  }
  await show(clientOf("1"), <View />);
  const lines = () => [...place.querySelectorAll("li")].map((line) => line.textContent?.trim());
  expect(place.querySelector("h1")?.textContent).toBe("Trip");
  expect(lines()).toEqual(["Hi"]);
  await act(async () => place.querySelector("button")?.click());
  expect(lines()).toEqual(["Hi", "Hello pending"]);
  const node = place.querySelectorAll("li")[1];
  await pass(100);
  expect(lines()).toEqual(["Hi", "Hello sent"]);
  expect(place.querySelectorAll("li")[1]).toBe(node);
  const before = renders;
  server.createConversation(["1", "3"], "Other");
  await pass(100);
  expect(renders).toBe(before);
});

test("shows typing and presence", async () => {
  const conversation = server.createConversation(["1", "2"], "Trip");
  function View() {
    const typing = useTyping(conversation.id).map((entry) => entry.user.name);
    return `${typing.join() || "quiet"} ${usePresence("2").status}`;
  }
  await show(clientOf("1"), <View />);
  expect(place.textContent).toBe("quiet offline");
  const bob = clientOf("2");
  bob.connect();
  await pass(100);
  bob.conversation(conversation.id).setTyping(true);
  server.signal("1", { type: "presence", user_id: "2", status: "online", last_seen: null });
  await pass(100);
  expect(place.textContent).toBe("Bob online");
  await pass(12_000);
  expect(place.textContent).toBe("quiet online");
  bob.disconnect();
});

test("says what is missing", async () => {
  function View() {
    useClient();
    return null;
  }
  const bare = createRoot(document.createElement("div"), { onUncaughtError: () => undefined });
  await expect(act(async () => bare.render(<View />))).rejects.toThrow("ParlourProvider");
});
