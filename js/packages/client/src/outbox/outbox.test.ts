// The outbox through the whole client: nothing lost, nothing twice, nothing shown as sent that is not (G2, G26).
import { describe, expect, test } from "vitest";
import { FakeDevice } from "../../test/fake-device.js";
import { refusal } from "../../test/fake-peer.js";
import { FakeServer } from "../../test/fake-server.js";
import { type Person, person, scene, shown } from "../../test/harness.js";

function texts(conversation: { inOrder(): readonly { content: string | null }[] }): (string | null)[] {
  return conversation.inOrder().map((message) => message.content);
}

async function loaded(someone: Person, id: number, server: FakeServer): Promise<void> {
  await Promise.all([someone.client.conversation(id).load(), server.clock.advance(100)]);
}

describe("the outbox (G26)", () => {
  test("keeps what is sent while offline, and sends it in order when back", async () => {
    const { server, clock, conversation, alice, handle } = await scene();
    await loaded(alice, conversation.id, server);
    alice.tab.setOnline(false);
    for (const text of ["one", "two", "three"]) {
      handle.send(text).catch(() => undefined);
    }
    await clock.advance(5_000);
    expect(shown(alice.client, conversation.id)).toEqual([
      "one (pending)",
      "two (pending)",
      "three (pending)",
    ]);
    alice.tab.setOnline(true);
    await clock.advance(500);
    expect(texts(conversation)).toEqual(["one", "two", "three"]);
    expect(shown(alice.client, conversation.id)).toEqual(["one [sent]", "two [sent]", "three [sent]"]);
  });

  test("survives a reload: the next page sends it", async () => {
    const { server, clock, conversation } = await scene();
    const device = new FakeDevice(server);
    const before = person(server, "1", {}, device);
    before.client.connect();
    await clock.advance(100);
    await loaded(before, conversation.id, server);
    before.tab.setOnline(false);
    const kept = before.client.conversation(conversation.id).send("still here");
    await clock.advance(50);
    await kept;
    before.tab.close();
    const after = person(server, "1", {}, device);
    after.tab.unreachable = true;
    after.client.connect();
    await clock.advance(50);
    expect(shown(after.client, conversation.id)).toEqual(["still here (pending)"]);
    after.tab.unreachable = false;
    await clock.advance(40_000);
    expect(texts(conversation)).toEqual(["still here"]);
    await loaded(after, conversation.id, server);
    expect(shown(after.client, conversation.id)).toEqual(["still here [sent]"]);
  });

  test("a lost answer is settled by the same client id", async () => {
    const { server, clock, conversation, alice, handle } = await scene();
    await loaded(alice, conversation.id, server);
    let lost = 0;
    server.intercept = (frame) => (frame.type === "message.send" && lost++ === 0 ? "lose" : undefined);
    handle.send("once").catch(() => undefined);
    handle.send("and then").catch(() => undefined);
    await clock.advance(40_000);
    expect(texts(conversation)).toEqual(["once", "and then"]);
    expect(shown(alice.client, conversation.id)).toEqual(["once [sent]", "and then [sent]"]);
    expect(alice.changes.map((change) => change.seq)).toEqual([1, 2]);
    const sends = server.commands.filter((command) => command.type === "message.send");
    expect(sends).toHaveLength(3);
    expect(sends[0]?.client_id).toBe(sends[1]?.client_id);
  });

  test.each(["rate_limited", "unavailable", "unknown", "internal"] as const)(
    "%s is tried again with the same client id, and holds up what follows",
    async (code) => {
      const { server, clock, conversation, handle } = await scene();
      let refused = 0;
      server.intercept = (frame) =>
        frame.type === "message.send" && refused++ < 2 ? refusal(code, 700) : undefined;
      handle.send("one").catch(() => undefined);
      handle.send("two").catch(() => undefined);
      await clock.advance(500);
      expect(texts(conversation)).toEqual([]);
      await clock.advance(10_000);
      expect(texts(conversation)).toEqual(["one", "two"]);
      const ids = server.commands.filter((c) => c.type === "message.send").map((c) => c.client_id);
      expect(new Set(ids).size).toBe(2);
    },
  );

  test("what is refused for good is kept as failed, does not hold up the rest, and can be retried or discarded", async () => {
    const { server, clock, conversation, alice, handle } = await scene();
    await loaded(alice, conversation.id, server);
    server.intercept = (frame) => (frame.content === "bad" ? refusal("blocked") : undefined);
    handle.send("bad").catch(() => undefined);
    handle.send("good").catch(() => undefined);
    await clock.advance(200);
    expect(shown(alice.client, conversation.id)).toEqual(["good [sent]", "bad (failed)"]);
    const failed = handle.timeline.getSnapshot().items[1];
    if (failed?.kind !== "pending") {
      throw new Error("no pending item");
    }
    expect(failed.state).toEqual({ status: "failed", code: "blocked", message: "blocked" });
    await Promise.all([handle.retry(failed.clientId), clock.advance(200)]);
    expect(shown(alice.client, conversation.id)).toEqual(["good [sent]", "bad (failed)"]);
    server.intercept = () => undefined;
    await Promise.all([handle.retry(failed.clientId), clock.advance(200)]);
    expect(shown(alice.client, conversation.id)).toEqual(["good [sent]", "bad [sent]"]);
    expect(await handle.discard(failed.clientId)).toBe(false);
  });

  test("discards what was never on its way, and not what may be stored", async () => {
    const { server, clock, conversation, alice, handle } = await scene();
    alice.tab.setOnline(false);
    const [fresh] = await Promise.all([handle.send("never sent"), clock.advance(50)]);
    expect((await Promise.all([handle.discard(fresh), clock.advance(50)]))[0]).toBe(true);
    alice.tab.setOnline(true);
    await clock.advance(100);
    server.intercept = (frame) => (frame.type === "message.send" ? "lose" : undefined);
    const [tried] = await Promise.all([handle.send("perhaps"), clock.advance(100)]);
    expect((await Promise.all([handle.discard(tried), clock.advance(50)]))[0]).toBe(false);
    server.intercept = () => undefined;
    await clock.advance(40_000);
    expect(texts(conversation)).toEqual(["perhaps"]);
  });

  test("of two tabs one sends, and the other goes on when it closes", async () => {
    const { server, clock, conversation } = await scene();
    const device = new FakeDevice(server);
    const one = person(server, "1", {}, device);
    const two = person(server, "1", {}, device);
    one.client.connect();
    await clock.advance(100);
    two.client.connect();
    await clock.advance(100);
    await loaded(one, conversation.id, server);
    await loaded(two, conversation.id, server);
    server.commands.length = 0;
    two.client
      .conversation(conversation.id)
      .send("from two")
      .catch(() => undefined);
    await clock.advance(200);
    expect(texts(conversation)).toEqual(["from two"]);
    expect(shown(two.client, conversation.id)).toEqual(["from two [sent]"]);
    expect(shown(one.client, conversation.id)).toEqual(["from two [sent]"]);
    server.intercept = (frame) => (frame.type === "message.send" ? refusal("unavailable") : undefined);
    two.client
      .conversation(conversation.id)
      .send("again")
      .catch(() => undefined);
    await clock.advance(200);
    server.intercept = () => undefined;
    one.tab.close();
    await clock.advance(40_000);
    expect(texts(conversation)).toEqual(["from two", "again"]);
    expect(shown(two.client, conversation.id)).toEqual(["from two [sent]", "again [sent]"]);
  });

  test("what one user has left is not sent as another", async () => {
    const { server, clock } = await scene();
    const device = new FakeDevice(server);
    const trio = server.createConversation(["1", "2", "3"], "Trio");
    const alice = person(server, "1", {}, device);
    alice.client.connect();
    await clock.advance(100);
    alice.tab.setOnline(false);
    await Promise.all([alice.client.conversation(trio.id).send("by Alice"), clock.advance(50)]);
    alice.tab.close();
    const carol = person(server, "3", {}, device);
    carol.client.connect();
    await clock.advance(1_000);
    await Promise.all([carol.client.conversation(trio.id).send("by Carol"), clock.advance(200)]);
    expect(trio.inOrder().map((message) => [message.sender_id, message.content])).toEqual([
      ["3", "by Carol"],
    ]);
    carol.tab.close();
    person(server, "1", {}, device).client.connect();
    await clock.advance(1_000);
    expect(texts(trio)).toEqual(["by Carol", "by Alice"]);
  });

  test("signing out leaves nothing behind", async () => {
    const server = new FakeServer();
    const device = new FakeDevice(server);
    const conversation = server.createConversation(["1", "2"]);
    const alice = person(server, "1", {}, device);
    alice.client.connect();
    await server.clock.advance(100);
    server.intercept = (frame) => (frame.type === "message.send" ? refusal("unavailable") : undefined);
    await Promise.all([alice.client.conversation(conversation.id).send("secret"), server.clock.advance(50)]);
    await Promise.all([alice.client.logout(), server.clock.advance(100)]);
    expect([...device.records.values()].flatMap((records) => [...records])).toEqual([]);
  });

  test("the order holds when the clock jumps back (G17)", async () => {
    const { server, clock, conversation, alice, handle } = await scene();
    alice.tab.setOnline(false);
    await Promise.all([handle.send("first"), clock.advance(10)]);
    clock.jump(-3_600_000);
    await Promise.all([handle.send("second"), clock.advance(10)]);
    alice.tab.setOnline(true);
    await clock.advance(500);
    expect(texts(conversation)).toEqual(["first", "second"]);
    expect(server.commands.length).toBeGreaterThan(0);
  });
});
