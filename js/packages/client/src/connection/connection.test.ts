// Connecting, coming back and staying away (G5, G6, G7, G14, G19, G23, N2).
import { describe, expect, test } from "vitest";
import { refusal } from "../../test/fake-peer.js";
import { FakeServer } from "../../test/fake-server.js";
import { person, scene, shown, status, URL_OF_SERVER } from "../../test/harness.js";
import { createClient } from "../client.js";
import { ParlourError } from "../errors.js";

/** Until this client is connected, at the latest after the longest delay. */
async function back(clock: FakeServer["clock"]): Promise<void> {
  await clock.advance(31_000);
}

describe("reconnecting", () => {
  test("replays what was missed, each Change once, in order (G5, G6)", async () => {
    const { server, clock, conversation, alice, handle } = await scene();
    const first = server.send(conversation, "2", "one").message;
    await Promise.all([handle.load(), clock.advance(100)]);
    alice.tab.cut();
    expect(status(alice.client)).toBe("waiting");
    const second = server.send(conversation, "2", "two").message;
    server.send(conversation, "2", "three");
    server.edit(conversation, first.id, "ONE");
    server.delete(conversation, second.id);
    server.mark(conversation, "2", conversation.lastSeq, true);
    await back(clock);
    expect(status(alice.client)).toBe("open");
    expect(shown(alice.client, conversation.id)).toEqual(["ONE", "deleted", "three"]);
    expect(alice.changes.map((change) => [change.type, change.seq])).toEqual([
      ["message.created", 1],
      ["message.created", 3],
      ["message.edited", 4],
      ["message.deleted", 5],
    ]);
    expect(handle.store.getSnapshot()?.unread_count).toBe(2);
    expect(handle.store.getSnapshot()?.participants[1]?.read_seq).toBe(5);
    expect(alice.resyncs).toEqual([]);
    expect(alice.errors).toEqual([]);
  });

  test("drops Changes that come twice", async () => {
    const { server, clock, conversation, alice, handle } = await scene();
    await Promise.all([handle.load(), clock.advance(100)]);
    server.twice = true;
    server.send(conversation, "2", "one");
    server.send(conversation, "2", "two");
    await clock.advance(100);
    expect(alice.changes.map((change) => change.seq)).toEqual([1, 2]);
    expect(handle.store.getSnapshot()?.unread_count).toBe(2);
  });

  test("a gap is noticed, and filled by a resume", async () => {
    const { server, clock, conversation, alice, handle } = await scene();
    await Promise.all([handle.load(), clock.advance(100)]);
    server.loseEvents = 1;
    server.send(conversation, "2", "lost");
    server.send(conversation, "2", "seen");
    await clock.advance(10);
    const state = alice.client.connection.getSnapshot();
    expect(state.status === "waiting" && state.reason).toBe("gap");
    expect(alice.changes).toEqual([]);
    await back(clock);
    expect(alice.changes.map((change) => change.seq)).toEqual([1, 2]);
    expect(shown(alice.client, conversation.id)).toEqual(["lost", "seen"]);
  });

  test.each(["too_long", "epoch", "future"] as const)(
    "what cannot be replayed (%s) is loaded anew, loudly (G7)",
    async (why) => {
      const { server, clock, conversation, alice, handle } = await scene();
      for (const text of ["one", "two", "three"]) {
        server.send(conversation, "2", text);
      }
      await Promise.all([handle.load(), clock.advance(200)]);
      alice.tab.cut();
      if (why === "too_long") {
        server.replayLimit = 0;
        server.send(conversation, "2", "four");
      } else if (why === "epoch") {
        conversation.epoch += 1;
        server.send(conversation, "2", "four");
      } else {
        conversation.messages.delete(conversation.inOrder()[2]?.id ?? 0);
        conversation.lastSeq = 2;
      }
      await back(clock);
      expect(alice.resyncs).toEqual([{ conversation_id: conversation.id, reason: why }]);
      expect(shown(alice.client, conversation.id)).toEqual(
        why === "future" ? ["one", "two"] : ["one", "two", "three", "four"],
      );
      expect(handle.store.getSnapshot()?.last_seq).toBe(conversation.lastSeq);
    },
  );

  test("a conversation that one is not in any more is gone, a new one appears", async () => {
    const { server, clock, conversation, alice } = await scene();
    await Promise.all([alice.client.conversations.load(), clock.advance(100)]);
    const gone: number[] = [];
    alice.client.on("gone", (event) => gone.push(event.conversation_id));
    alice.tab.cut();
    conversation.leave("1", "2");
    const group = server.createConversation(["1", "2", "3"], "Trip");
    await back(clock);
    expect(gone).toEqual([conversation.id]);
    expect(alice.client.conversations.store.getSnapshot().items.map((item) => item.title)).toEqual(["Trip"]);
    const later = server.createConversation(["1", "3"]);
    server.send(later, "3", "New here");
    await clock.advance(100);
    const [top] = alice.client.conversations.store.getSnapshot().items;
    expect(top?.id).toBe(later.id);
    expect(top?.unread_count).toBe(1);
    server.publish(group, group.leave("1", "2"));
    await clock.advance(100);
    expect(gone).toEqual([conversation.id, group.id]);
  });

  test("waits with full jitter up to 30 s, without an attempt limit (G19)", async () => {
    const { clock, alice } = await scene();
    alice.tab.random = 0.999;
    alice.tab.unreachable = true;
    alice.tab.cut();
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 12; attempt += 1) {
      const state = alice.client.connection.getSnapshot();
      if (state.status !== "waiting") {
        throw new Error(`attempt ${attempt}: ${state.status}`);
      }
      expect(state.attempt).toBe(attempt);
      waits.push(Math.ceil((state.retryAt - clock.now) / 1000));
      await clock.advance(state.retryAt - clock.now + 100);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30]);
    alice.tab.unreachable = false;
    await back(clock);
    expect(status(alice.client)).toBe("open");
    expect(alice.client.connection.getSnapshot()).toEqual({ status: "open", transport: "websocket" });
  });

  test("keeps the time that the server asks for", async () => {
    const { server, clock, alice } = await scene();
    server.closeAll(1012, "retry_after_ms=20000");
    await clock.advance(10);
    const state = alice.client.connection.getSnapshot();
    expect(state.status === "waiting" && state.reason).toBe("restarting");
    await clock.advance(19_000);
    expect(status(alice.client)).toBe("waiting");
    await clock.advance(3_000);
    expect(status(alice.client)).toBe("open");
  });

  test("comes back at once when the device is online again, and stays quiet while it is not", async () => {
    const { clock, alice } = await scene();
    alice.tab.setOnline(false);
    expect(status(alice.client)).toBe("offline");
    await clock.advance(20_000);
    expect(status(alice.client)).toBe("offline");
    alice.tab.setOnline(true);
    expect(status(alice.client)).toBe("connecting");
    await clock.advance(100);
    expect(status(alice.client)).toBe("open");
  });

  test("comes back at once when the page is seen again", async () => {
    const { clock, alice } = await scene();
    alice.tab.random = 0.999;
    alice.tab.unreachable = true;
    alice.tab.setVisible(false);
    alice.tab.cut();
    await clock.advance(70_000);
    alice.tab.unreachable = false;
    expect(status(alice.client)).toBe("waiting");
    alice.tab.setVisible(true);
    await clock.advance(100);
    expect(status(alice.client)).toBe("open");
  });

  test.each([
    [4403, "forbidden"],
    [4409, "replaced"],
    [4400, "protocol_broken"],
  ])("stays away after %i", async (code, reason) => {
    const { server, clock, alice } = await scene();
    server.closeAll(code);
    await clock.advance(120_000);
    expect(alice.client.connection.getSnapshot()).toEqual({ status: "closed", reason });
    alice.client.connect();
    await clock.advance(100);
    expect(status(alice.client)).toBe("open");
  });

  test("leaves nothing behind when disconnected", async () => {
    const { clock, server, alice } = await scene();
    alice.client.disconnect();
    await clock.advance(4_000_000);
    expect(status(alice.client)).toBe("idle");
    expect(alice.tab.openSockets).toBe(0);
    expect(server.peers.size).toBe(0);
    expect(clock.waiting).toBe(0);
  });
});

describe("heartbeats", () => {
  test("asks when nothing has arrived, and gives a dead connection up after 10 s", async () => {
    const { server, clock, alice } = await scene();
    await clock.advance(24_000);
    expect(server.commands.filter((command) => command.type === "ping")).toHaveLength(0);
    await clock.advance(2_000);
    expect(server.commands.filter((command) => command.type === "ping")).toHaveLength(1);
    expect(status(alice.client)).toBe("open");
    alice.tab.blackHole = true;
    await clock.advance(36_000);
    const state = alice.client.connection.getSnapshot();
    expect(state.status).not.toBe("open");
    alice.tab.blackHole = false;
    await clock.advance(80_000);
    expect(status(alice.client)).toBe("open");
  });

  test("asks at once when the page is seen again", async () => {
    const { clock, alice } = await scene();
    alice.tab.blackHole = true;
    alice.tab.setVisible(true);
    await clock.advance(10_100);
    const state = alice.client.connection.getSnapshot();
    expect(state.status === "waiting" && state.reason).toBe("heartbeat");
  });
});

describe("signing in", () => {
  test("renews in band, and nothing is interrupted (G23)", async () => {
    const server = new FakeServer();
    const reasons: string[] = [];
    const alice = person(server, "1", {
      getToken: async ({ reason }) => {
        reasons.push(reason);
        return server.token("1", 300_000);
      },
    });
    alice.client.connect();
    await server.clock.advance(250_000);
    expect(reasons).toEqual(["request", "expiring"]);
    await server.clock.advance(3_600_000);
    expect(alice.client.connection.getSnapshot()).toEqual({ status: "open", transport: "websocket" });
    expect(alice.tab.asked).toEqual(["POST /api/v1/auth/ticket"]);
    expect(alice.errors).toEqual([]);
  });

  test("a token that ends is replaced by a new one (4401)", async () => {
    const { server, clock, alice } = await scene();
    server.closeAll(4401);
    await back(clock);
    expect(status(alice.client)).toBe("open");
  });

  test.each([
    ["fails", () => Promise.reject(new Error("no network"))],
    ["hangs", () => new Promise<string>(() => undefined)],
    ["gives an expired one", async () => "token:1:0"],
  ])("a token provider that %s leads to no tight loop (N2)", async (_how, getToken) => {
    const server = new FakeServer();
    let asked = 0;
    const alice = person(server, "1", {
      getToken: () => {
        asked += 1;
        return getToken();
      },
    });
    alice.client.connect();
    await server.clock.advance(600_000);
    const state = alice.client.connection.getSnapshot();
    expect(["waiting", "connecting"]).toContain(state.status);
    expect(asked).toBeGreaterThan(5);
    // Two per attempt at most: the second one after a refusal.
    expect(asked).toBeLessThan(160);
  });

  test("works with the session cookie, and says so when nobody is signed in", async () => {
    const server = new FakeServer();
    const { client, tab } = person(server, "1", { getToken: async () => undefined });
    const restoring = client.restore();
    await server.clock.advance(50);
    expect(await restoring).toBeNull();
    const cookie = person(server, "1", { getToken: async () => undefined });
    server.cookieUser = "1";
    cookie.client.connect();
    await server.clock.advance(100);
    expect(status(cookie.client)).toBe("open");
    expect(tab.openSockets).toBe(0);
  });

  test("built-in accounts: login connects, logout forgets, a refused ticket closes", async () => {
    const server = new FakeServer();
    const conversation = server.createConversation(["1", "2"]);
    const tab = person(server, "1").tab;
    const client = createClient({ url: URL_OF_SERVER, platform: tab.platform });
    client.connect();
    await server.clock.advance(100);
    expect(client.connection.getSnapshot()).toEqual({ status: "closed", reason: "not_authenticated" });
    const wrong = client.login({ username: "alice", password: "nope" }).catch((error: unknown) => error);
    await server.clock.advance(50);
    expect(await wrong).toBeInstanceOf(ParlourError);
    const entering = client.login({ username: "alice", password: "demo" });
    await server.clock.advance(200);
    expect((await entering).id).toBe("1");
    expect(status(client)).toBe("open");
    await Promise.all([client.conversation(conversation.id).load(), server.clock.advance(100)]);
    const leaving = client.logout();
    await server.clock.advance(200);
    await leaving;
    expect(status(client)).toBe("idle");
    expect(client.me.getSnapshot()).toBeNull();
    expect(client.conversations.store.getSnapshot().items).toEqual([]);
    expect(client.conversation(conversation.id).timeline.getSnapshot().items).toEqual([]);
  });

  test("signs in by subprotocol where that is asked for", async () => {
    const server = new FakeServer();
    const { client, tab } = person(server, "1", { auth: "subprotocol" });
    client.connect();
    await server.clock.advance(100);
    expect(status(client)).toBe("open");
    expect(tab.asked).toEqual([]);
  });
});

describe("commands", () => {
  test("an open command counts as unknown when the connection closes (G14)", async () => {
    const { server, clock, conversation, handle, alice } = await scene();
    const { message } = server.send(conversation, "1", "Hi");
    server.intercept = (frame) => (frame.type === "message.edit" ? "lose" : undefined);
    await clock.advance(50);
    const editing = handle.edit(message.id, "Ho").catch((error: unknown) => error);
    await clock.advance(50);
    const error = (await editing) as ParlourError;
    expect(error).toBeInstanceOf(ParlourError);
    expect([error.code, error.class]).toEqual(["closed", "unknown"]);
    await back(clock);
    expect(alice.changes.map((change) => change.type)).toEqual(["message.created", "message.edited"]);
  });

  test("an error of the server keeps its code, class and time", async () => {
    const { server, clock, conversation, handle } = await scene();
    const { message } = server.send(conversation, "1", "Hi");
    server.intercept = (frame) => (frame.type === "message.edit" ? refusal("rate_limited", 200) : undefined);
    const editing = handle.edit(message.id, "Ho").catch((error: unknown) => error);
    await clock.advance(50);
    expect(await editing).toMatchObject({ code: "rate_limited", class: "retry", retryAfterMs: 200 });
  });

  test("can be aborted, and are never answered late", async () => {
    const { server, clock, conversation, handle } = await scene();
    const { message } = server.send(conversation, "1", "Hi");
    server.workMs = 30_000;
    const abort = new AbortController();
    const editing = handle.edit(message.id, "Ho", { signal: abort.signal }).catch((error: unknown) => error);
    await clock.advance(10);
    abort.abort();
    expect(await editing).toMatchObject({ code: "aborted" });
    const slow = handle.edit(message.id, "Ha").catch((error: unknown) => error);
    await clock.advance(20_100);
    expect(await slow).toMatchObject({ code: "timeout", class: "unknown" });
  });
});
