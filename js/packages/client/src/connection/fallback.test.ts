// What happens where WebSockets do not get through: server-sent events, then long polling, and back.
import { describe, expect, test } from "vitest";
import { FakeServer } from "../../test/fake-server.js";
import { person, shown } from "../../test/harness.js";

async function behindProxy(options: { sse: boolean }) {
  const server = new FakeServer();
  const conversation = server.createConversation(["1", "2"]);
  const alice = person(server, "1");
  alice.tab.blockWebSockets = true;
  server.interceptRest = (_method, path) =>
    path === "/events" && !options.sse ? new Response("<html>", { status: 502 }) : undefined;
  alice.client.connect();
  await server.clock.advance(20_000);
  const handle = alice.client.conversation(conversation.id);
  await Promise.all([handle.load(), server.clock.advance(200)]);
  return { server, clock: server.clock, conversation, alice, handle };
}

describe.each(["sse", "polling"] as const)("over %s", (transport) => {
  test("everything arrives once, commands go over REST", async () => {
    const { server, clock, conversation, alice, handle } = await behindProxy({ sse: transport === "sse" });
    expect(alice.client.connection.getSnapshot()).toEqual({ status: "open", transport });
    server.send(conversation, "2", "one");
    await clock.advance(100);
    handle.send("two").catch(() => undefined);
    await clock.advance(100);
    server.send(conversation, "2", "three");
    await clock.advance(100);
    expect(shown(alice.client, conversation.id)).toEqual(["one", "two [read]", "three"]);
    expect(alice.changes.map((change) => change.seq)).toEqual([1, 2, 3]);
    const mine = conversation.inOrder()[1]?.id ?? 0;
    const editing = handle.edit(mine, "TWO");
    await clock.advance(100);
    expect((await editing).content).toBe("TWO");
    const deleting = handle.delete(mine);
    await clock.advance(100);
    expect((await deleting).content).toBeNull();
    expect(shown(alice.client, conversation.id)[1]).toBe("deleted [read]");
    expect(server.commands).toEqual([]);
    expect(handle.store.getSnapshot()?.unread_count).toBe(1);
  });

  test("nothing is lost when it breaks, nor on the way back to a WebSocket", async () => {
    const { server, clock, conversation, alice } = await behindProxy({ sse: transport === "sse" });
    server.send(conversation, "2", "one");
    await clock.advance(100);
    alice.tab.cut();
    server.send(conversation, "2", "two");
    await clock.advance(31_000);
    expect(shown(alice.client, conversation.id)).toEqual(["one", "two"]);
    alice.tab.blockWebSockets = false;
    await clock.advance(320_000);
    expect(alice.client.connection.getSnapshot()).toEqual({ status: "open", transport: "websocket" });
    server.send(conversation, "2", "three");
    await clock.advance(100);
    expect(shown(alice.client, conversation.id)).toEqual(["one", "two", "three"]);
  });

  test("goes on while WebSockets still fail", async () => {
    const { server, clock, conversation, alice } = await behindProxy({ sse: transport === "sse" });
    await clock.advance(700_000);
    expect(alice.client.connection.getSnapshot()).toEqual({ status: "open", transport });
    server.send(conversation, "2", "still here");
    await clock.advance(100);
    expect(shown(alice.client, conversation.id)).toEqual(["still here"]);
  });
});

test("a server that is simply not there is no reason to fall back", async () => {
  const server = new FakeServer();
  const alice = person(server, "1");
  alice.tab.unreachable = true;
  alice.client.connect();
  await server.clock.advance(200_000);
  alice.tab.unreachable = false;
  await server.clock.advance(31_000);
  expect(alice.client.connection.getSnapshot()).toEqual({ status: "open", transport: "websocket" });
});
