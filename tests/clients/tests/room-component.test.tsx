// The Next.js chat component with one socket a mount: receipts for everything that arrives, typing, edits, statuses.
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Screen } from "../robots/mount.js";
import { RoomComponent } from "../robots/room/component.js";
import type { Cable } from "../support/cable.js";
import type { Host } from "../support/host.js";
import { eventually, type Person, Stage, texts } from "../support/stage.js";
import { mint } from "../support/token.js";

let stage: Stage;
let people = 100;
const screens: Screen[] = [];

beforeAll(async () => {
  stage = await Stage.open({ env: { PARLOUR_LIMITS_PRESENCE_GRACE: "1s" } });
});
afterEach(async () => {
  for (const screen of screens.splice(0)) screen.unmount();
  await stage.clear();
});
afterAll(() => stage.close());

interface Browser {
  readonly host: Host;
  readonly screen: Screen;
}

async function pair(): Promise<{ alice: Person; bob: Person; conversation: number }> {
  people += 2;
  return stage.pair(String(people), String(people + 1));
}

function show(me: Person, conversation: number, host: Host, token = me.token): Screen {
  const page = { host, auth: { token, user: { id: me.number } } };
  const screen = Screen.show(<RoomComponent conversation={conversation} />, page);
  screens.push(screen);
  return screen;
}

async function visit(me: Person, conversation: number, through?: Cable): Promise<Browser> {
  const host = stage.host(through ? { through } : {});
  const screen = show(me, conversation, host);
  await eventually(() => expect(host.open).toBe(1));
  return { host, screen };
}

test("what is said is shown to everybody in the room, the sender included, with name and time", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine, hers] = [await visit(bob, conversation), await visit(alice, conversation)];
  await mine.screen.send("Good morning");
  for (const { screen } of [mine, hers]) {
    await eventually(() => expect(screen.all(".content")).toEqual(["Good morning"]));
    expect(screen.all(".sender")).toEqual([bob.name]);
    expect(screen.text("time")).toMatch(/^\d\d?:\d\d:\d\d/);
  }
  const [frame] = hers.host.received("chat_message");
  expect(frame).toMatchObject({
    message_id: expect.any(Number),
    conversation_id: conversation,
    sender_id: bob.number,
    sender_name: bob.name,
    content: "Good morning",
    attachments: [],
    is_edited: false,
    read_by: expect.any(Array),
  });
  expect(frame?.timestamp).toBe(frame?.created_at);
});

test("each message is read by each once; receipts for one's own change nothing and are no error", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine, hers] = [await visit(bob, conversation), await visit(alice, conversation)];
  for (const text of texts("read me", 5)) await bob.say(conversation, text);
  const readers = Array(5).fill(alice.id);
  for (const { screen } of [mine, hers]) {
    await eventually(() => expect(screen.all(".readers")).toEqual(readers));
  }
  await alice.say(conversation, "fence");
  await eventually(() => expect(mine.screen.all(".readers")).toEqual([...readers, bob.id]));
  await eventually(() => expect(hers.screen.all(".readers")).toEqual([...readers, bob.id]));
  expect([...mine.host.received("error"), ...hers.host.received("error")]).toEqual([]);
});

test("typing is told under the messages, not to the typist, and ends", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine, hers] = [await visit(bob, conversation), await visit(alice, conversation)];
  mine.screen.type("G");
  mine.screen.type("Go");
  await eventually(() => expect(hers.screen.text(".typing")).toBe(`${bob.name} is typing...`));
  await eventually(() => expect(hers.screen.text(".typing")).toBe(""));
  expect(mine.host.received("typing_indicator")).toEqual([]);
});

test("edits are shown; a deletion is told", async () => {
  const { alice, bob, conversation } = await pair();
  const hers = await visit(alice, conversation);
  const { id } = await bob.say(conversation, "wrogn");
  await eventually(() => expect(hers.screen.all(".content")).toEqual(["wrogn"]));
  await bob.edit(id, "right");
  await eventually(() => expect(hers.screen.all(".content")).toEqual(["right"]));
  expect(hers.screen.all(".edited")).toEqual(["(edited)"]);
  await bob.remove(id);
  await eventually(() =>
    expect(hers.host.received("message_deleted")).toEqual([{ type: "message_deleted", message_id: id }]),
  );
});

test("who comes and goes is told, and who is there on arrival", async () => {
  const { alice, bob, conversation } = await pair();
  const hers = await visit(alice, conversation);
  const mine = await visit(bob, conversation);
  await eventually(() => expect(hers.screen.text(".statuses")).toBe(`${bob.name} is online`));
  await eventually(() => expect(mine.screen.text(".statuses")).toBe(`${alice.name} is online`));
  mine.screen.unmount();
  screens.splice(screens.indexOf(mine.screen), 1);
  await eventually(() =>
    expect(hers.screen.text(".statuses")).toBe(`${bob.name} is online; ${bob.name} is offline`),
  );
});

test("it never reconnects; mounted again it gets what it missed", async () => {
  const { alice, bob, conversation } = await pair();
  const cable = await stage.cable();
  const first = await visit(bob, conversation, cable);
  await alice.say(conversation, "seen");
  await eventually(() => expect(first.screen.all(".content")).toEqual(["seen"]));
  cable.cut();
  await eventually(() => expect(first.host.open).toBe(0));
  for (const text of texts("missed", 20)) await alice.say(conversation, text);
  expect(first.host.sockets).toHaveLength(1);
  const second = await visit(bob, conversation, cable);
  await eventually(() => expect(second.screen.all(".content").slice(-20)).toEqual(texts("missed", 20)));
});

test.each([
  ["an expired token", (id: string) => mint(id, { life: -10 })],
  ["somebody who is not in the conversation", () => mint("99", { name: "stranger" })],
])("m4_%s is refused before the upgrade", async (_, token) => {
  const { bob, conversation } = await pair();
  const host = stage.host();
  show(bob, conversation, host, token(bob.id));
  await eventually(() => expect(host.closes).toEqual([1006]));
  expect(host.frames).toEqual([]);
});
