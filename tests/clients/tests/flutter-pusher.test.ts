// The Flutter client that speaks Pusher's protocol by hand: its own channel, REST sends, and echoes that are no new messages.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { FlutterScreen } from "../robots/flutter-pusher.js";
import { InboxClient } from "../robots/inbox.js";
import type { Cable } from "../support/cable.js";
import type { Host } from "../support/host.js";
import { APP } from "../support/server.js";
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

interface Phone {
  readonly host: Host;
  readonly screen: FlutterScreen;
}

async function phone(me: Person, conversation: number, through?: Cable): Promise<Phone> {
  const host = stage.host(through ? { through } : {});
  const screen = new FlutterScreen(host, APP.key, me.token, me.id, conversation);
  await eventually(() => expect(screen.socket.subscribed).toBe(true));
  return { host, screen };
}

test("it is greeted, authorised over JSON, and subscribed", async () => {
  const { bob, conversation } = await pair();
  const { screen } = await phone(bob, conversation);
  expect(screen.socket.socketId).toMatch(/^\d+\.\d+$/);
  expect(screen.socket.errors).toEqual([]);
});

test("what is said over REST reaches both, once, whatever the echo calls the id", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine, hers] = [await phone(bob, conversation), await phone(alice, conversation)];
  const fields = ["id", "messageId", "message_id"];
  for (const field of fields) await mine.screen.send(`with ${field}`, field);
  await hers.screen.send("fence");
  const all = [...fields.map((field) => `with ${field}`), "fence"];
  for (const { screen } of [mine, hers]) await eventually(() => expect(screen.shown).toEqual(all));
  expect(await bob.log(conversation)).toHaveLength(4);
  expect(hers.screen.messages[0]).toMatchObject({
    id: expect.any(Number),
    conversation_id: conversation,
    sender_id: bob.number,
    sender: { id: bob.number, name: bob.name },
    type: expect.any(String),
    attachments: [],
    is_read: false,
    created_at: expect.any(String),
    updated_at: expect.any(String),
  });
  expect(mine.screen.socket.errors).toEqual([]);
});

test("a send over its own channel, with a conversation and a tempId, is a message", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine, hers] = [await phone(bob, conversation), await phone(alice, conversation)];
  const event = { conversation_id: conversation, content: "over the socket", tempId: "temp-1" };
  mine.screen.socket.trigger("client-message", event);
  mine.screen.socket.trigger("client-message", event);
  await eventually(() => expect(hers.screen.shown).toEqual(["over the socket"]));
  await eventually(() => expect(mine.screen.socket.events[0]).toMatchObject({ data: { tempId: "temp-1" } }));
  await alice.say(conversation, "fence");
  await eventually(() => expect(hers.screen.shown).toEqual(["over the socket", "fence"]));
});

test("typing without a conversation is nothing; with one it is told, and its end is no second start", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine, hers] = [await phone(bob, conversation), await phone(alice, conversation)];
  mine.screen.type();
  mine.screen.typeHere();
  await eventually(() => expect(hers.screen.typed).toEqual([bob.name]));
  mine.screen.typeHere(false);
  await eventually(() => expect(hers.screen.socket.ignored).toContain("UserStoppedTypingEvent"));
  expect(hers.screen.typed).toEqual([bob.name]);
  expect(mine.screen.typed).toEqual([]);
  expect(mine.screen.socket.errors).toEqual([]);
});

test("receipts name what was read and by whom", async () => {
  const { alice, bob, conversation } = await pair();
  const mine = await phone(bob, conversation);
  const one = await mine.screen.send("one");
  const two = await mine.screen.send("two");
  await alice.read(conversation, two);
  await eventually(() => expect(mine.screen.read).toEqual([one, two]));
  const event = mine.screen.socket.events.find(({ type }) => type === "read");
  expect(event?.data).toMatchObject({ conversation_id: conversation, reader_id: alice.number });
});

test("edits and deletions come as events that it has no model for, and does not stumble over", async () => {
  const { alice, bob, conversation } = await pair();
  const mine = await phone(bob, conversation);
  const { id } = await alice.say(conversation, "first");
  await alice.edit(id, "second");
  await alice.remove(id);
  await eventually(() =>
    expect(mine.screen.socket.ignored).toEqual(
      expect.arrayContaining(["MessageEditedEvent", "MessageDeletedEvent"]),
    ),
  );
});

test("it and a web client of the inbox talk", async () => {
  const { alice, bob, conversation } = await pair();
  const mine = await phone(bob, conversation);
  const host = stage.host();
  const hers = new InboxClient(host, alice.token);
  hers.connect();
  await eventually(() => expect(host.frames).toHaveLength(1));
  hers.type(conversation, bob.number);
  await eventually(() => expect(mine.screen.typed).toEqual([alice.name]));
  hers.sendMessage(conversation, bob.number, "from the web");
  await eventually(() => expect(mine.screen.shown).toEqual(["from the web"]));
  const id = await mine.screen.send("from the phone");
  await eventually(() => expect(hers.shown).toEqual(["from the phone"]));
  // Her client reads whatever arrives. That he has read hers, by answering, is told to his devices too.
  await eventually(() => expect(mine.screen.read).toContain(id));
});

describe("g5 nothing is lost", () => {
  test("g5_pusher_what_was_said_during_a_cut_arrives_once_and_in_order", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await phone(bob, conversation, cable);
    await alice.say(conversation, "before");
    await eventually(() => expect(mine.screen.shown).toEqual(["before"]));
    await mine.host.proved();
    cable.sever();
    for (const text of texts("away", 20)) await alice.say(conversation, text);
    cable.heal();
    await eventually(() => expect(mine.screen.shown.at(-1)).toBe("away 20"));
    expect(mine.screen.shown).toEqual(["before", ...texts("away", 20)]);
  });

  test("g5_pusher_a_killed_server_loses_nothing", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await phone(bob, conversation, cable);
    cable.sever();
    for (const text of texts("killed", 20)) await alice.say(conversation, text);
    await stage.server.kill();
    await stage.server.run();
    cable.heal();
    await eventually(() => expect([...new Set(mine.screen.shown)]).toEqual(texts("killed", 20)));
  });
});

describe("refusals", () => {
  test.each([
    ["m1_an expired token", (me: Person) => [mint(me.id, { life: -10 }), me.id]],
    ["m1_another user's channel", (me: Person) => [me.token, "1"]],
  ])("%s: the channel is not authorised, the connection stays", async (_, of) => {
    const { bob, conversation } = await pair();
    const [token = "", user = ""] = of(bob);
    const host = stage.host();
    const { socket } = new FlutterScreen(host, APP.key, token, user, conversation);
    await eventually(() => expect(socket.errors[0]).toMatch(/Failed to authorize/));
    expect(socket.subscribed).toBe(false);
    expect(host.open).toBe(1);
  });

  test("an unknown key is told 4001, five times and no more", async () => {
    const { bob, conversation } = await pair();
    const host = stage.host({ speed: 200 });
    const { socket } = new FlutterScreen(host, "no-such-key", bob.token, bob.id, conversation);
    await eventually(() => expect(socket.errors).toContain("gave up"));
    expect(new Set(host.closes)).toEqual(new Set([4001]));
    expect(host.sockets).toHaveLength(6);
  });
});
