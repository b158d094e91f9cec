// The documents' own code, unmodified, against the real server; only where SEED_DOCUMENTS names the folder with them.
import type { ComponentType, ReactNode } from "react";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Screen } from "../robots/mount.js";
import type { Cable } from "../support/cable.js";
import type { Host } from "../support/host.js";
import { eventually, type Person, Stage, saw, texts } from "../support/stage.js";
import { blockWith, DOCUMENTS, load } from "../support/verbatim.js";

if (!DOCUMENTS) {
  console.warn("*** SKIPPED: the documents' own code: set SEED_DOCUMENTS to the folder that holds them ***");
}

/** The class as its document has it, with the methods that it calls and leaves to the application. */
interface ChatWebSocket {
  sendMessage(conversation: number, receiver: number, text: string): void;
  joinConversation(conversation: number): void;
  displayMessage(message: { text: string }): void;
  showTypingIndicator(frame: { username: string; is_typing: boolean }): void;
  updateMessageStatus(ids: number[], status: string): void;
  reconnectAttempts: number;
}

describe.skipIf(!DOCUMENTS)("verbatim", () => {
  let stage: Stage;
  let people = 100;
  const screens: Screen[] = [];

  beforeAll(async () => {
    stage = await Stage.open();
  });
  afterEach(async () => {
    for (const screen of screens.splice(0)) screen.unmount();
    await stage.clear();
  });
  afterAll(() => stage.close());

  async function pair(): Promise<{ alice: Person; bob: Person; conversation: number }> {
    people += 2;
    return stage.pair(String(people), String(people + 1));
  }

  function host(through?: Cable): Host {
    const http = through?.http ?? stage.server.http;
    const rewrite = ["ws://localhost:8000", "ws://your-host"].map(
      (written) => [written, http.replace("http", "ws")] as const,
    );
    return stage.host({ rewrite, ...(through ? { through } : {}) });
  }

  function mount(client: ReactNode): Screen {
    const screen = Screen.show(client);
    screens.push(screen);
    return screen;
  }

  interface Tab {
    readonly host: Host;
    readonly chat: ChatWebSocket;
    readonly shown: string[];
    readonly typing: string[];
    readonly status: Map<number, string>;
    readonly messageInput: EventTarget;
  }

  async function chatWebSocket(
    me: Person,
    other: Person,
    conversation: number,
    through?: Cable,
  ): Promise<Tab> {
    const own = host(through);
    const messageInput = new EventTarget();
    const globals = {
      userId: me.number,
      conversationId: conversation,
      receiverId: other.number,
      messageInput,
    };
    const around = { host: own, token: me.token, user: me.number, globals };
    const { chat } = load(around, [["chat", blockWith("class ChatWebSocket")]], ["chat"]) as {
      chat: ChatWebSocket;
    };
    const tab = { host: own, chat, shown: [], typing: [], status: new Map(), messageInput } as Tab;
    chat.displayMessage = ({ text }) => tab.shown.push(text);
    chat.showTypingIndicator = ({ username, is_typing }) => tab.typing.push(`${username} ${is_typing}`);
    chat.updateMessageStatus = (ids, status) => {
      for (const id of ids) tab.status.set(id, status);
    };
    await eventually(() => expect(own.frames.length).toBeGreaterThan(0));
    return tab;
  }

  test("g5_the_class_of_the_web_inbox: talks, types, reads, and misses nothing in a cut", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const [mine, hers] = [
      await chatWebSocket(bob, alice, conversation, cable),
      await chatWebSocket(alice, bob, conversation),
    ];
    mine.chat.joinConversation(conversation);
    mine.messageInput.dispatchEvent(new Event("input"));
    await eventually(() => expect(hers.typing).toEqual([`${bob.name} true`, `${bob.name} false`]));
    mine.chat.sendMessage(conversation, alice.number, "Hello!");
    await eventually(() => expect(hers.shown).toEqual(["Hello!"]));
    await eventually(() => expect([...mine.status.values()]).toEqual(["read"]));
    cable.sever();
    for (const text of texts("away", 20)) hers.chat.sendMessage(conversation, bob.number, text);
    await eventually(async () => expect(await alice.log(conversation)).toHaveLength(21));
    cable.heal();
    const missed = (): string[] => mine.shown.filter((text) => text.startsWith("away"));
    await eventually(() => expect([...new Set(missed())]).toEqual(texts("away", 20)));
    await eventually(() => expect(mine.chat.reconnectAttempts).toBe(0));
    saw("documented class ChatWebSocket", `20 missed in a cut, ${mine.shown.length} displayed`);
  });

  test("g5_the_hook_of_the_mobile_inbox", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const around = {
      host: host(cable),
      token: bob.token,
      user: bob.number,
      globals: { getAuthToken: () => bob.token },
    };
    const { useChatWebSocket } = load(around, [["hook", blockWith("export const useChatWebSocket")]]) as {
      useChatWebSocket(user: number): {
        isConnected: boolean;
        messages: { message_id: number; text: string }[];
      };
    };
    function Phone(): ReactNode {
      const { isConnected, messages } = useChatWebSocket(bob.number);
      return (
        <section>
          <p className="status">{String(isConnected)}</p>
          {messages.map(({ message_id, text }) => (
            <p key={message_id} className="text">
              {text}
            </p>
          ))}
        </section>
      );
    }
    const screen = mount(<Phone />);
    await eventually(() => expect(screen.text(".status")).toBe("true"));
    cable.sever();
    for (const text of texts("away", 20)) await alice.say(conversation, text);
    cable.heal();
    await eventually(() => expect([...new Set(screen.all(".text"))]).toEqual(texts("away", 20)));
    saw("documented hook useChatWebSocket", `20 missed in a cut, ${screen.all(".text").length} displayed`);
  });

  test("the component of the room", async () => {
    const { alice, bob, conversation } = await pair();
    const show = (me: Person): { host: Host; screen: Screen } => {
      const own = host();
      const around = { host: own, token: me.token, user: me.number };
      const code = blockWith("const ChatComponent");
      const { default: Component } = load(around, [["component", code]]) as {
        default: ComponentType<{ conversationId: number }>;
      };
      return { host: own, screen: mount(<Component conversationId={conversation} />) };
    };
    const [mine, hers] = [show(bob), show(alice)];
    for (const { host: own } of [mine, hers]) await eventually(() => expect(own.open).toBe(1));
    await mine.screen.send("from the component");
    for (const { screen } of [mine, hers]) {
      await eventually(() => expect(screen.all(".message-content")).toEqual(["from the component"]));
    }
    await eventually(() => expect(mine.host.received("read_receipt")).toHaveLength(1));
    expect(mine.host.received("error")).toEqual([]);
    saw("documented ChatComponent", `sent and shown: ${hers.screen.all(".message").join(" ")}`);
  });

  test("g5_the_chat_screen_of_the_room: history, live, a cut that opens a socket too many, and quiet after it", async () => {
    const { alice, bob, conversation } = await pair();
    for (const text of texts("old", 10)) await alice.say(conversation, text);
    const cable = await stage.cable();
    const own = host(cable);
    const { default: Chat } = load({ host: own, token: bob.token, user: bob.number }, [
      ["useWebSocket", blockWith("export function useWebSocket")],
      ["useConversation", blockWith("export function useConversation")],
      ["Chat", blockWith("export default function Chat(")],
    ]) as { default: ComponentType<{ conversationId: number }> };
    const screen = mount(<Chat conversationId={conversation} />);
    const shown = (): string[] => screen.all(".message-content");
    const status = (): string => screen.text(".status-indicator");
    await eventually(() => expect([status(), shown()]).toEqual(["Connected", texts("old", 10)]));
    await screen.send("live");
    await eventually(() => expect(shown()).toEqual([...texts("old", 10), "live"]));

    cable.sever();
    await eventually(() => expect(status()).toBe("Reconnecting..."));
    for (const text of texts("away", 20)) await alice.say(conversation, text);
    cable.heal();
    const all = [...texts("old", 10), "live", ...texts("away", 20)];
    await eventually(() => expect(shown()).toEqual(all));
    await eventually(
      async () => {
        const before = own.sockets.length;
        await alice.say(conversation, "settled?");
        all.push("settled?");
        await eventually(() => expect(shown()).toEqual(all), 2_000);
        expect([status(), own.open, own.sockets.length]).toEqual(["Connected", 1, before]);
      },
      15_000,
      300,
    );
    expect(own.received("error")).toEqual([]);
    saw(
      "documented Chat with useConversation and useWebSocket",
      `settled after ${own.sockets.length} sockets`,
    );
  });
});
