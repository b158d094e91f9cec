// pusher-js as a whole product uses it: channels of every kind, client events, sign-in, against a plain Pusher application.
import type Sdk from "pusher";
import type { PresenceChannel } from "pusher-js";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Application, sdk } from "../support/application.js";
import { client, connected, endAll, listen, subscribed } from "../support/pusher-js.js";
import { eventually, Stage, saw, texts, version } from "../support/stage.js";

const VERSION = `pusher-js ${version("pusher-js")}`;

let stage: Stage;
let application: Application;
let server: Sdk;
let channels = 0;

beforeAll(async () => {
  application = await Application.start();
  stage = await Stage.open();
  application.use(stage.server);
  server = sdk(stage.server);
});
afterEach(endAll);
afterAll(async () => {
  await stage.close();
  await application.close();
});

/** A name that no other test has. */
const fresh = (prefix = ""): string => {
  channels += 1;
  return `${prefix}channel-${channels}`;
};
const user = (id: string): ReturnType<typeof client> => client(stage.server.http, application.options(id));

describe("connection", () => {
  test("it connects, gets a socket id, and its pings are answered", async () => {
    const pusher = client(stage.server.http, { activityTimeout: 300, pongTimeout: 2_000 });
    const heard: string[] = [];
    pusher.connection.bind("message", ({ event }: { event: string }) => heard.push(event));
    await connected(pusher);
    expect(pusher.connection.socket_id).toMatch(/^\d+\.\d+$/);
    await eventually(() =>
      expect(heard.filter((event) => event === "pusher:pong").length).toBeGreaterThan(1),
    );
    expect(pusher.connection.state).toBe("connected");
    saw(VERSION, `connected as socket ${pusher.connection.socket_id}; its pusher:ping was answered`);
  });

  test("an unknown key is told so, and it does not try again", async () => {
    const pusher = client(stage.server.http, {}, "no-such-key");
    const errors: { data?: { code?: number } }[] = [];
    pusher.connection.bind("error", ({ error }: { error: { data?: { code?: number } } }) =>
      errors.push(error),
    );
    await eventually(() => expect(pusher.connection.state).toBe("disconnected"));
    expect(errors[0]?.data?.code).toBe(4001);
    saw(VERSION, "unknown key: 4001, state disconnected, no retry");
  });

  test("after kill -9 and a new start it comes back by itself and subscribes again", async () => {
    const name = fresh();
    const pusher = await connected(client(stage.server.http));
    const before = pusher.connection.socket_id;
    const { heard } = await subscribed(pusher, name);
    await stage.server.kill();
    await eventually(() => expect(pusher.connection.state).not.toBe("connected"));
    await stage.server.run();
    await eventually(() => expect(pusher.connection.state).toBe("connected"), 30_000);
    await eventually(async () => {
      await server.trigger(name, "back", {});
      expect(heard.length).toBeGreaterThan(0);
    });
    expect(pusher.connection.socket_id).not.toBe(before);
    saw(VERSION, "server killed and started: connected again, subscribed again, events flow");
  });
});

describe("channels", () => {
  test("public: a hundred events arrive in order, the excluded socket gets none", async () => {
    const name = fresh();
    const [one, two] = [
      await connected(client(stage.server.http)),
      await connected(client(stage.server.http)),
    ];
    const [mine, theirs] = [await subscribed(one, name), await subscribed(two, name)];
    for (const text of texts("event", 100)) {
      await server.trigger(name, "news", { text }, { socket_id: one.connection.socket_id });
    }
    await server.trigger(name, "end", "a plain string");
    await eventually(() => expect(theirs.heard).toHaveLength(101));
    expect(theirs.heard.slice(0, 100).map(({ data }) => (data as { text: string }).text)).toEqual(
      texts("event", 100),
    );
    expect(theirs.heard.at(-1)).toMatchObject({ event: "end", data: "a plain string" });
    await eventually(() => expect(mine.heard.map(({ event }) => event)).toEqual(["end"]));
    saw(VERSION, "public channel: 100 events in order; socket_id excluded from its own");
  });

  test("private: the application's signature lets in; m1_a wrong one is refused, the connection stays", async () => {
    const name = fresh("private-");
    const good = await connected(user("1"));
    const { heard } = await subscribed(good, name);
    await server.trigger(name, "secret", { for: "members" });
    await eventually(() => expect(heard).toMatchObject([{ event: "secret", data: { for: "members" } }]));

    const customHandler = (_: unknown, done: (error: null, data: { auth: string }) => void): void =>
      done(null, { auth: `kit-app-key:${"0".repeat(64)}` });
    const forger = await connected(client(stage.server.http, { channelAuthorization: { customHandler } }));
    const refused = listen(forger, name);
    await eventually(() => expect(refused.errors).toMatchObject([{ type: "AuthError", status: 401 }]));
    await server.trigger(name, "secret", {});
    await eventually(() => expect(heard).toHaveLength(2));
    expect(refused.heard).toEqual([]);
    expect(forger.connection.state).toBe("connected");
    saw(VERSION, "private channel: signed in, forged signature refused with 401, connection kept");
  });

  test("presence: the roster, who comes and goes, once a person", async () => {
    const name = fresh("presence-");
    const first = await subscribed(await connected(user("1")), name);
    const told: string[] = [];
    for (const event of ["pusher:member_added", "pusher:member_removed"]) {
      first.channel.bind(event, ({ id }: { id: string }) => told.push(`${event} ${id}`));
    }
    const [tab, otherTab] = [await connected(user("2")), await connected(user("2"))];
    await subscribed(otherTab, name);
    const { members } = (await subscribed(tab, name)).channel as PresenceChannel;
    expect(members.count).toBe(2);
    expect(members.me).toEqual({ id: "2", info: { name: "user 2" } });
    expect(members.get("1")).toEqual({ id: "1", info: { name: "user 1" } });
    await eventually(() => expect(told).toEqual(["pusher:member_added 2"]));
    tab.disconnect();
    const third = await connected(user("3"));
    await subscribed(third, name);
    await eventually(() => expect(told.at(-1)).toBe("pusher:member_added 3"));
    otherTab.disconnect();
    await eventually(() => expect(told.at(-1)).toBe("pusher:member_removed 2"));
    expect(told).toHaveLength(3);
    saw(
      VERSION,
      "presence channel: roster of 2 with user_info, added once for two tabs, removed with the last",
    );
  });

  test("twenty who join at once are each in the roster or announced", async () => {
    const name = fresh("presence-");
    const ids = texts("person", 20).map((text) => text.replace(" ", "-"));
    const all = await Promise.all(
      ids.map(async (id) => (await subscribed(await connected(user(id)), name)).channel as PresenceChannel),
    );
    for (const channel of all) await eventually(() => expect(channel.members.count).toBe(20));
    saw(VERSION, "presence channel: 20 joined at once, each saw 20");
  });

  test("cache: the last event comes first; without one there is a miss", async () => {
    const name = fresh("cache-");
    await server.trigger(name, "price", { eur: 1 });
    await server.trigger(name, "price", { eur: 2 });
    const pusher = await connected(client(stage.server.http));
    const { heard } = await subscribed(pusher, name);
    await eventually(() => expect(heard).toMatchObject([{ event: "price", data: { eur: 2 } }]));
    const missed: string[] = [];
    const empty = fresh("private-cache-");
    const second = await connected(user("1"));
    second.subscribe(empty).bind("pusher:cache_miss", () => missed.push(empty));
    await eventually(() => expect(missed).toEqual([empty]));
    saw(
      VERSION,
      "cache channel: last event on subscribe though nobody had listened; cache_miss on an empty one",
    );
  });

  test("encrypted: decrypted here, unreadable on the way", async () => {
    const name = fresh("private-encrypted-");
    const pusher = await connected(user("1"));
    const raw: unknown[] = [];
    pusher.connection.bind("message", (message: { channel?: string; data: unknown }) => {
      if (message.channel === name) raw.push(message.data);
    });
    const { heard } = await subscribed(pusher, name);
    await server.trigger(name, "whisper", { text: "between us" });
    await eventually(() => expect(heard).toMatchObject([{ event: "whisper", data: { text: "between us" } }]));
    expect(JSON.stringify(raw)).toMatch(/ciphertext/);
    expect(JSON.stringify(raw)).not.toMatch(/between us/);
    saw(VERSION, "encrypted channel: {nonce, ciphertext} on the wire, decrypted by the client");
  });
});

describe("client events", () => {
  test("they reach the others, with the sender's id on presence channels, and never the sender", async () => {
    const name = fresh("presence-");
    const [one, two] = [
      await subscribed(await connected(user("1")), name),
      await subscribed(await connected(user("2")), name),
    ];
    const told: unknown[] = [];
    for (const { channel } of [one, two]) {
      channel.bind("client-cursor", ({ x }: { x: number }, { user_id }: { user_id: string }) =>
        told.push(`${x} by ${user_id} at ${(channel as PresenceChannel).members.myID}`),
      );
    }
    one.channel.trigger("client-cursor", { x: 1 });
    await eventually(() => expect(told).toEqual(["1 by 1 at 2"]));
    two.channel.trigger("client-cursor", { x: 2 });
    await eventually(() => expect(told).toEqual(["1 by 1 at 2", "2 by 2 at 1"]));
    saw(VERSION, "client event: relayed with metadata.user_id, not to the sender");
  });

  test("m3_more than ten a second are refused with 4301 and the connection stays", async () => {
    const name = fresh("private-");
    const pusher = await connected(user("1"));
    const codes: unknown[] = [];
    pusher.connection.bind(
      "error",
      (error: { data?: { code?: number }; error?: { data?: { code?: number } } }) =>
        codes.push(error.data?.code ?? error.error?.data?.code),
    );
    const { channel } = await subscribed(pusher, name);
    const other = await subscribed(await connected(user("2")), name);
    for (let count = 0; count < 30; count += 1) channel.trigger("client-flood", { count });
    await eventually(() => expect(codes).toContain(4301));
    expect(pusher.connection.state).toBe("connected");
    await server.trigger(name, "fence", {});
    await eventually(() => expect(other.heard.at(-1)?.event).toBe("fence"));
    expect(other.heard.length).toBeLessThan(20);
    saw(VERSION, `client events: ${other.heard.length - 1} of 30 at once relayed, then 4301`);
  });
});

describe("sign-in", () => {
  test("a signed-in user gets what is sent to him, and sees those whom he watches", async () => {
    const me = await connected(user("me"));
    const online: string[] = [];
    me.user.watchlist.bind("online", ({ user_ids }: { user_ids: string[] }) => online.push(...user_ids));
    me.user.watchlist.bind("offline", ({ user_ids }: { user_ids: string[] }) =>
      online.push(...user_ids.map((id) => `-${id}`)),
    );
    const heard: unknown[] = [];
    me.user.bind("greeting", (data: unknown) => heard.push(data));
    me.signin();
    await eventually(async () => {
      await server.sendToUser("me", "greeting", { hello: "you" });
      expect(heard.length).toBeGreaterThan(0);
    });
    expect(heard[0]).toEqual({ hello: "you" });
    const watched = await connected(user("watched"));
    watched.signin();
    // First how things are, then what changes.
    await eventually(() => expect(online).toEqual(["-watched", "-other", "watched"]));
    watched.disconnect();
    await eventually(() => expect(online).toEqual(["-watched", "-other", "watched", "-watched"]));
    saw(VERSION, "signin: sendToUser arrived; watchlist told online and offline");
  });

  test("terminated connections are told 4009 and do not come back", async () => {
    const pusher = await connected(user("to-go"));
    const heard: unknown[] = [];
    pusher.user.bind("ready", (data: unknown) => heard.push(data));
    pusher.signin();
    await eventually(async () => {
      await server.sendToUser("to-go", "ready", {});
      expect(heard.length).toBeGreaterThan(0);
    });
    await server.terminateUserConnections("to-go");
    await eventually(() => expect(pusher.connection.state).toBe("disconnected"));
    saw(VERSION, "terminateUserConnections: closed with 4009, state disconnected");
  });
});
