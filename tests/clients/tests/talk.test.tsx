// Everybody in one conversation: each kind of client says something, each sees everything, in one order and with one id.
import { afterAll, beforeAll, expect, test } from "vitest";
import { DirectScreen } from "../robots/direct.js";
import { FlutterScreen } from "../robots/flutter-pusher.js";
import { InboxClient } from "../robots/inbox.js";
import { Screen } from "../robots/mount.js";
import { PlainPage } from "../robots/plain.js";
import { Chat } from "../robots/room/chat.js";
import { RoomComponent } from "../robots/room/component.js";
import type { Host } from "../support/host.js";
import { APP } from "../support/server.js";
import { eventually, type Person, Stage } from "../support/stage.js";

/** One client of some kind: how it says something, and the ids of the messages that it has shown, in order. */
interface Voice {
  readonly kind: string;
  readonly person: Person;
  say(text: string): unknown;
  ids(): readonly number[];
  /** Whether it shows what it has said itself. */
  readonly own: boolean;
}

let stage: Stage;
let alice: Person;
let bob: Person;
let conversation: number;

beforeAll(async () => {
  // Seven clients of two people say more at once than two people would.
  stage = await Stage.open({ env: { PARLOUR_RATE_LIMITS: "off" } });
  ({ alice, bob, conversation } = await stage.pair());
});
afterAll(() => stage.close());

const frameIds = (host: Host, type: string, id: (frame: Record<string, unknown>) => unknown): number[] =>
  host.received(type).map((frame) => id(frame) as number);

function direct(person: Person, other: Person): Voice {
  const host = stage.host();
  const screen = new DirectScreen(host, person.number, other.number, `?dialect=direct&token=${person.token}`);
  const ids = (): number[] => screen.messages.map(({ id }) => id).reverse();
  return { kind: "direct", person, say: (text) => screen.send(text), ids, own: true };
}

function inbox(person: Person, other: Person): Voice {
  const client = new InboxClient(stage.host(), person.token);
  client.connect();
  const say = (text: string): void => client.sendMessage(conversation, other.number, text);
  const ids = (): number[] => client.displayed.map(({ message_id }) => message_id);
  return { kind: "inbox", person, say, ids, own: false };
}

function room(person: Person, kind: "room" | "chat"): Voice {
  const host = stage.host();
  const page = { host, auth: { token: person.token, user: { id: person.number } } };
  const Client = kind === "room" ? RoomComponent : Chat;
  const screen = Screen.show(<Client conversation={conversation} />, page);
  const ids = (): number[] =>
    [...screen.element.querySelectorAll("[data-id]")].map((found) => Number(found.getAttribute("data-id")));
  return { kind, person, say: (text) => screen.send(text), ids, own: true };
}

async function plain(person: Person, other: Person): Promise<Voice> {
  const host = stage.host({ cookie: await person.cookie() });
  const page = new PlainPage(host, { me: person.number, recipient: other.number, conversation });
  const say = (text: string): void => page.send(text);
  return { kind: "plain", person, say, ids: () => page.bubbles.map(({ id }) => id), own: true };
}

function pusher(person: Person): Voice {
  const screen = new FlutterScreen(stage.host(), APP.key, person.token, person.id, conversation);
  const ids = (): number[] => screen.messages.map(({ id }) => id);
  return { kind: "pusher", person, say: (text) => screen.send(text), ids, own: true };
}

function rest(person: Person): Voice {
  const said: number[] = [];
  const say = async (text: string): Promise<void> => {
    said.push((await person.say(conversation, text)).id);
  };
  return { kind: "rest", person, say, ids: () => said, own: true };
}

test("g4_everything_that_each_kind_says_reaches_each_other_in_one_order", async () => {
  const listeners = [
    direct(alice, bob),
    inbox(bob, alice),
    room(alice, "room"),
    room(bob, "chat"),
    await plain(bob, alice),
    pusher(alice),
  ];
  const voices = [...listeners, rest(bob)];
  await eventually(async () => {
    // Everybody is there once a word of each reaches each other.
    const probe = await bob.say(conversation, "is everybody there?");
    for (const { kind, ids } of listeners) {
      await eventually(() => expect([kind, ids().includes(probe.id)]).toEqual([kind, true]), 500);
    }
  }, 30_000);

  const rounds = 10;
  for (let round = 1; round <= rounds; round += 1) {
    // Nobody waits for anybody.
    await Promise.all(voices.map((voice) => voice.say(`${voice.kind} ${round}`)));
  }
  await eventually(async () => {
    const log = await alice.log(conversation);
    expect(log.filter(({ content }) => / \d+$/.test(content))).toHaveLength(rounds * voices.length);
  }, 30_000);

  const log = (await alice.log(conversation)).filter(({ content }) => / \d+$/.test(content));
  for (const { kind, ids, own } of listeners) {
    const expected = log.filter((message) => own || !message.content.startsWith(kind)).map(({ id }) => id);
    const numbers = new Set(log.map(({ id }) => id));
    await eventually(
      () => expect([kind, ids().filter((id) => numbers.has(id))]).toEqual([kind, expected]),
      30_000,
    );
  }
});

test("an edit, a receipt and typing reach each kind that has a frame for them", async () => {
  const hosts = { direct: stage.host(), inbox: stage.host(), room: stage.host() };
  new DirectScreen(hosts.direct, alice.number, bob.number, `?dialect=direct&token=${alice.token}`);
  new InboxClient(hosts.inbox, alice.token).connect();
  const page = { host: hosts.room, auth: { token: alice.token, user: { id: alice.number } } };
  Screen.show(<RoomComponent conversation={conversation} />, page);
  const phone = new FlutterScreen(stage.host(), APP.key, alice.token, alice.id, conversation);
  const typist = new InboxClient(stage.host(), bob.token);
  typist.connect();
  await eventually(() => expect(phone.socket.subscribed).toBe(true));
  for (const host of Object.values(hosts)) await eventually(() => expect(host.open).toBe(1));

  const { id } = await alice.say(conversation, "hte umbrella");
  await alice.edit(id, "the umbrella");
  await bob.read(conversation, id);
  await eventually(() => {
    typist.type(conversation, alice.number);
    expect(frameIds(hosts.direct, "typing", (frame) => frame.user_id)).toContain(bob.number);
  });
  const edited = (frame: Record<string, unknown>): unknown => frame.message_id;
  await eventually(() => {
    expect(frameIds(hosts.direct, "edited", (frame) => (frame.message as { id: number }).id)).toContain(id);
    expect(frameIds(hosts.inbox, "message_edited", edited)).toContain(id);
    expect(frameIds(hosts.room, "message_edited", edited)).toContain(id);
    expect(phone.socket.ignored).toContain("MessageEditedEvent");
    expect(hosts.direct.received("read").flatMap((frame) => frame.message_ids)).toContain(id);
    expect(hosts.inbox.received("read_receipt").flatMap((frame) => frame.message_ids)).toContain(id);
    expect(frameIds(hosts.room, "read_receipt", edited)).toContain(id);
    expect(phone.read).toContain(id);
    expect(frameIds(hosts.inbox, "typing_indicator", (frame) => frame.user_id)).toContain(bob.number);
    expect(frameIds(hosts.room, "typing_indicator", (frame) => frame.user_id)).toContain(bob.number);
    expect(phone.typed).toContain(bob.name);
  });
});
