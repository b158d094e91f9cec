// The web client of a Django Channels inbox: five attempts, receipts for everything, and polling when all else fails.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { InboxClient } from "../robots/inbox.js";
import type { Cable } from "../support/cable.js";
import type { Host } from "../support/host.js";
import { eventually, type Person, Stage, texts } from "../support/stage.js";
import { mint } from "../support/token.js";

let stage: Stage;
let people = 100;

beforeAll(async () => {
  stage = await Stage.open();
});
afterEach(() => stage.clear());
afterAll(() => stage.close());

async function pair(): Promise<{ alice: Person; bob: Person; conversation: number }> {
  people += 2;
  return stage.pair(String(people), String(people + 1));
}

interface Tab {
  readonly host: Host;
  readonly client: InboxClient;
}

async function tab(me: Person, through?: Cable): Promise<Tab> {
  const host = stage.host(through ? { through } : {});
  const client = new InboxClient(host, me.token);
  client.connect();
  await eventually(() => expect(host.frames).toHaveLength(1));
  return { host, client };
}

test("the first frame says that the connection stands", async () => {
  const { bob } = await pair();
  const { host } = await tab(bob);
  expect(host.frames[0]).toEqual({
    type: "connection_established",
    user_id: bob.number,
    session_id: expect.any(String),
  });
});

test("a send is confirmed to its socket and told to everybody else, other tabs included", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine, other, hers] = [await tab(bob), await tab(bob), await tab(alice)];
  mine.client.sendMessage(conversation, alice.number, "Hello!");
  await eventually(() => expect(hers.client.shown).toEqual(["Hello!"]));
  await eventually(() => expect(other.client.shown).toEqual(["Hello!"]));
  const [message] = hers.client.displayed;
  expect(message).toEqual({
    type: "new_message",
    message_id: expect.any(Number),
    conversation_id: conversation,
    sender_id: bob.number,
    sender_name: bob.name,
    text: "Hello!",
    created_at: expect.any(String),
    client_id: message?.client_id,
  });
  await eventually(() =>
    expect(mine.host.received("message_sent")).toEqual([
      expect.objectContaining({
        message_id: message?.message_id,
        conversation_id: conversation,
        created_at: message?.created_at,
      }),
    ]),
  );
  expect(mine.client.shown).toEqual([]);
  // The other tab has sent a receipt for one's own message: no error comes of it.
  other.client.sendMessage(conversation, alice.number, "fence");
  await eventually(() => expect(mine.client.shown).toEqual(["fence"]));
  expect([...mine.client.unknown, ...other.client.unknown]).not.toContain("error");
});

test("without a conversation it goes to the direct one with the receiver", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine, hers] = [await tab(bob), await tab(alice)];
  mine.client.sendMessage(null, alice.number, "no conversation named");
  await eventually(() => expect(hers.client.displayed[0]?.conversation_id).toBe(conversation));
});

test("typing is shown by name and ends", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine, hers] = [await tab(bob), await tab(alice)];
  for (let key = 0; key < 20; key += 1) mine.client.type(conversation, alice.number);
  await eventually(() => expect([...hers.client.typing]).toEqual([bob.name]));
  await eventually(() => expect([...hers.client.typing]).toEqual([]));
  expect(mine.host.received("typing_indicator")).toEqual([]);
});

test("receipts turn one's messages to read", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine, hers] = [await tab(bob), await tab(alice)];
  for (const text of texts("read me", 5)) mine.client.sendMessage(conversation, alice.number, text);
  await eventually(() => expect(hers.client.shown).toEqual(texts("read me", 5)));
  const ids = hers.client.displayed.map((message) => message.message_id);
  await eventually(() => expect(ids.map((id) => mine.client.status.get(id))).toEqual(ids.map(() => "read")));
  const named = mine.host.received("read_receipt").flatMap((frame) => frame.message_ids as number[]);
  expect(named).toEqual(ids);
  expect(mine.host.received("read_receipt")[0]).toEqual({
    type: "read_receipt",
    conversation_id: conversation,
    message_ids: expect.any(Array),
    user_id: alice.number,
    read_at: expect.any(String),
  });
});

test("joining and leaving a conversation are answered", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine] = [await tab(bob), await tab(alice)];
  mine.client.join(conversation);
  await eventually(() =>
    expect(mine.host.received("conversation_joined")).toEqual([
      {
        type: "conversation_joined",
        conversation_id: conversation,
        participants: expect.arrayContaining([
          expect.objectContaining({ user_id: alice.number, username: alice.name, status: "online" }),
        ]),
      },
    ]),
  );
  mine.client.leave(conversation);
  await eventually(() =>
    expect(mine.host.received("conversation_left")).toEqual([
      { type: "conversation_left", conversation_id: conversation },
    ]),
  );
});

test("edits and deletions are told, and answered to the one who makes them", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine, hers] = [await tab(bob), await tab(alice)];
  const { id } = await bob.say(conversation, "wrogn");
  await eventually(() => expect(hers.client.shown).toEqual(["wrogn"]));
  mine.client.sendRaw({ type: "edit_message", message_id: id, text: "right" });
  const edit = expect.objectContaining({ message_id: id, conversation_id: conversation, text: "right" });
  for (const { host } of [mine, hers]) {
    await eventually(() => expect(host.received("message_edited")).toEqual([edit]));
  }
  mine.client.sendRaw({ type: "delete_message", message_id: id });
  for (const { host } of [mine, hers]) {
    await eventually(() =>
      expect(host.received("message_deleted")).toEqual([
        { type: "message_deleted", message_id: id, conversation_id: conversation },
      ]),
    );
  }
});

test("nobody else's conversation can be written to or told from one that is not there", async () => {
  const { alice, bob, conversation } = await pair();
  const stranger = await pair();
  const [mine, hers] = [await tab(stranger.bob), await tab(alice)];
  for (const target of [conversation, 999_999_999]) {
    mine.client.sendMessage(target, alice.number, "let me in");
  }
  await eventually(() => expect(mine.host.received("error")).toHaveLength(2));
  const [one, other] = mine.host.received("error");
  expect(one).toEqual(other);
  expect(one).toMatchObject({ code: "not_found" });
  await bob.say(conversation, "fence");
  await eventually(() => expect(hers.client.shown).toEqual(["fence"]));
});

describe("g5 nothing is lost", () => {
  test("g5_inbox_what_is_said_right_after_the_greeting_arrives_beside_another_socket_too", async () => {
    const { alice, bob, conversation } = await pair();
    await tab(bob);
    const second = await tab(bob);
    await alice.say(conversation, "at once");
    await eventually(() => expect(second.client.shown).toEqual(["at once"]), 3_000);
  });

  test("g5_inbox_what_was_said_during_a_cut_arrives_once_and_in_order", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await tab(bob, cable);
    await alice.say(conversation, "before");
    await eventually(() => expect(mine.client.shown).toEqual(["before"]));
    await mine.host.proved();
    cable.sever();
    for (const text of texts("away", 20)) await alice.say(conversation, text);
    cable.heal();
    await eventually(() => expect(mine.client.shown.at(-1)).toBe("away 20"));
    await alice.say(conversation, "after");
    await eventually(() => expect(mine.client.shown.at(-1)).toBe("after"));
    expect(mine.client.shown).toEqual(["before", ...texts("away", 20), "after"]);
    expect(mine.client.attempts).toBe(0);
  });

  test("g5_inbox_a_killed_server_loses_nothing", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await tab(bob, cable);
    cable.sever();
    for (const text of texts("killed", 20)) await alice.say(conversation, text);
    await stage.server.kill();
    await stage.server.run();
    cable.heal();
    await eventually(() => expect([...new Set(mine.client.shown)]).toEqual(texts("killed", 20)));
    expect(mine.client.polling).toBe(false);
  });

  test("g5_inbox_a_restart_under_load_loses_nothing", async () => {
    const { alice, bob, conversation } = await pair();
    const mine = await tab(bob);
    for (const text of texts("load", 10)) await alice.say(conversation, text);
    await stage.server.kill("SIGTERM");
    await stage.server.run();
    for (const text of texts("later", 10)) await alice.say(conversation, text);
    const all = [...texts("load", 10), ...texts("later", 10)];
    await eventually(() => expect([...new Set(mine.client.shown)]).toEqual(all));
  });

  test("g6_inbox_edits_and_deletions_made_during_a_cut_are_told", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await tab(bob, cable);
    const edited = await alice.say(conversation, "to be edited");
    const deleted = await alice.say(conversation, "to be deleted");
    await eventually(() => expect(mine.client.shown).toHaveLength(2));
    await mine.host.proved();
    cable.sever();
    await alice.edit(edited.id, "edited");
    await alice.remove(deleted.id);
    cable.heal();
    await eventually(() => {
      expect(mine.host.received("message_edited").at(-1)).toMatchObject({
        message_id: edited.id,
        text: "edited",
      });
      expect(mine.host.received("message_deleted").at(-1)).toMatchObject({ message_id: deleted.id });
    });
  });
});

describe("a refused token", () => {
  test.each([
    ["expired", (id: string) => mint(id, { life: -10 })],
    ["forged", (id: string) => mint(id, { secret: "x".repeat(40) })],
    ["none", () => "null"],
  ])(
    "%s: refused before the upgrade, so the client gives up after five attempts and polls",
    async (_, token) => {
      const { bob } = await pair();
      const host = stage.host({ speed: 200 });
      const client = new InboxClient(host, token(bob.id));
      client.connect();
      await eventually(() => expect(client.polling).toBe(true));
      expect(host.sockets).toHaveLength(6);
      expect(host.closes).toEqual(Array(6).fill(1006));
      await eventually(() => expect(client.polls[0]).toBe(401));
    },
  );

  test("the poll, with the cookie, shows everything unread in order", async () => {
    const { alice, bob, conversation } = await pair();
    for (const text of texts("unread", 45)) await alice.say(conversation, text);
    const host = stage.host({ speed: 200, cookie: await bob.cookie() });
    const client = new InboxClient(host, mint(bob.id, { life: -10 }));
    client.connect();
    await eventually(() => expect(client.shown).toEqual(texts("unread", 45)));
    await alice.say(conversation, "one more");
    await eventually(() => expect(client.shown.at(-1)).toBe("one more"));
    expect(client.displayed[0]).toMatchObject({ conversation_id: conversation, sender_name: alice.name });
  });
});
