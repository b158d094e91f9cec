// The client as a whole against the fake server: what a user interface sees.
import { describe, expect, test } from "vitest";
import { person, scene, shown, status } from "../test/harness.js";

describe("a client", () => {
  test("connects, says who it is, and loads conversations", async () => {
    const { server, clock, conversation, alice } = await scene();
    expect(status(alice.client)).toBe("open");
    expect(alice.client.me.getSnapshot()?.name).toBe("Alice");
    server.send(conversation, "2", "Hi");
    const loading = alice.client.conversations.load();
    await clock.advance(100);
    await loading;
    const list = alice.client.conversations.store.getSnapshot();
    expect(list.status).toBe("ready");
    expect(list.items.map((item) => item.id)).toEqual([conversation.id]);
    expect(list.items[0]?.unread_count).toBe(1);
    expect(alice.errors).toEqual([]);
  });

  test("shows a message at once as pending, and as sent only after the reply (G26)", async () => {
    const { clock, conversation, alice, handle } = await scene();
    const loading = handle.load();
    await clock.advance(100);
    await loading;
    const sending = handle.send("Hello");
    expect(shown(alice.client, conversation.id)).toEqual(["Hello (pending)"]);
    const key = handle.timeline.getSnapshot().items[0]?.key;
    await clock.advance(4);
    expect(shown(alice.client, conversation.id)).toEqual(["Hello (sending)"]);
    await clock.advance(20);
    expect(shown(alice.client, conversation.id)).toEqual(["Hello [sent]"]);
    expect(handle.timeline.getSnapshot().items[0]?.key).toBe(key);
    await sending;
    expect(conversation.inOrder().map((message) => message.content)).toEqual(["Hello"]);
  });

  test("hears others, with ticks, typing and unread counts", async () => {
    const { server, clock, conversation, alice, handle } = await scene();
    const bob = person(server, "2");
    bob.client.connect();
    const loading = Promise.all([handle.load(), bob.client.conversation(conversation.id).load()]);
    await clock.advance(200);
    await loading;
    bob.client.conversation(conversation.id).setTyping(true);
    await clock.advance(50);
    expect(handle.typing.getSnapshot().map((entry) => entry.user.name)).toEqual(["Bob"]);
    bob.client
      .conversation(conversation.id)
      .send("Ahoy")
      .catch(() => undefined);
    await clock.advance(100);
    expect(handle.typing.getSnapshot()).toEqual([]);
    expect(shown(alice.client, conversation.id)).toEqual(["Ahoy"]);
    expect(handle.store.getSnapshot()?.unread_count).toBe(1);
    await clock.advance(1000);
    expect(shown(bob.client, conversation.id)).toEqual(["Ahoy [delivered]"]);
    handle.markRead();
    expect(handle.store.getSnapshot()?.unread_count).toBe(0);
    await clock.advance(1000);
    expect(shown(bob.client, conversation.id)).toEqual(["Ahoy [read]"]);
    expect([...alice.errors, ...bob.errors]).toEqual([]);
  });
});
