// The Next.js chat screen with its hooks: history over SWR, retries that open a socket too many, receipts for whole pages.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Screen } from "../robots/mount.js";
import { Chat } from "../robots/room/chat.js";
import type { Cable } from "../support/cable.js";
import type { Host } from "../support/host.js";
import { eventually, type Person, Stage, texts } from "../support/stage.js";
import { mint } from "../support/token.js";

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

interface Browser {
  readonly host: Host;
  readonly screen: Screen;
}

async function pair(): Promise<{ alice: Person; bob: Person; conversation: number }> {
  people += 2;
  return stage.pair(String(people), String(people + 1));
}

function show(me: Person, conversation: number, host: Host, token = me.token): Browser {
  const page = { host, auth: { token, user: { id: me.number } } };
  const screen = Screen.show(<Chat conversation={conversation} />, page);
  screens.push(screen);
  return { host, screen };
}

async function visit(me: Person, conversation: number, through?: Cable): Promise<Browser> {
  const browser = show(me, conversation, stage.host(through ? { through } : {}));
  await eventually(() => expect(browser.screen.text(".status")).toBe("Connected"));
  return browser;
}

const shown = ({ screen }: Browser): string[] => screen.all(".content");

test("history and socket make one list: each message once, in order, with the same names and times", async () => {
  const { alice, bob, conversation } = await pair();
  for (const text of texts("old", 30)) await alice.say(conversation, text);
  const mine = await visit(bob, conversation);
  await eventually(() => expect(shown(mine)).toEqual(texts("old", 30)));
  const hers = await visit(alice, conversation);
  await mine.screen.send("new 1");
  await eventually(() => expect(shown(hers)).toEqual([...texts("old", 30), "new 1"]));
  await hers.screen.send("new 2");
  const all = [...texts("old", 30), "new 1", "new 2"];
  await eventually(() => expect(shown(mine)).toEqual(all));

  // The same messages from the history alone look the same.
  const fresh = await visit(bob, conversation);
  await eventually(() => expect(shown(fresh)).toEqual(all));
  expect(fresh.screen.all(".sender")).toEqual(mine.screen.all(".sender"));
  expect(fresh.screen.all("time")).toEqual(mine.screen.all("time"));
  const path = `/api/conversations/${conversation}/messages`;
  const { count, results } = await bob.ask<{ count: number; results: { message_id: number }[] }>("GET", path);
  expect(count).toBe(32);
  const [frame] = mine.host.received("chat_message");
  const { type: _, ...message } = { ...frame };
  expect(results.find(({ message_id }) => message_id === frame?.message_id)).toMatchObject({
    ...message,
    read_by: expect.any(Array),
  });
});

test("typing is told and ends with the sending", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine, hers] = [await visit(bob, conversation), await visit(alice, conversation)];
  mine.screen.type("Hel");
  await eventually(() => expect(hers.screen.text(".typing")).toBe(`${bob.name} is typing...`));
  mine.screen.type("Hello");
  await eventually(() => expect(mine.screen.element.querySelector("button")?.disabled).toBe(false));
  mine.screen.pressEnter();
  await eventually(() => expect(shown(hers)).toEqual(["Hello"]));
  await eventually(() => expect(hers.screen.text(".typing")).toBe(""));
});

test("receipts for the whole page on every frame are borne: read once each, no error, no close", async () => {
  const { alice, bob, conversation } = await pair();
  for (const text of texts("page", 30)) await alice.say(conversation, text);
  const mine = await visit(bob, conversation);
  const hers = await visit(alice, conversation);
  await eventually(() => expect(shown(mine)).toHaveLength(30));
  for (const text of texts("live", 15)) await alice.say(conversation, text);
  await eventually(() => expect(shown(mine)).toHaveLength(45));
  // 30 of the history are unread in its eyes for ever: each time the page is drawn anew it says so again.
  await eventually(() => expect(mine.host.sent.length).toBeGreaterThan(100));
  await mine.screen.send("still here");
  await eventually(() => expect(shown(hers).at(-1)).toBe("still here"));
  expect(mine.host.received("error")).toEqual([]);
  expect(mine.host.sockets).toHaveLength(1);

  const ids = (await alice.log(conversation))
    .filter(({ sender_id }) => sender_id === alice.id)
    .map(({ id }) => id);
  const read = (): number[] => hers.host.received("read_receipt").map((frame) => frame.message_id as number);
  await eventually(() => expect(read()).toEqual(expect.arrayContaining(ids.slice(-15))));
  expect(new Set(read()).size).toBe(read().length);
});

describe("g5 nothing is lost", () => {
  test("g5_room_after_a_blip_it_settles_on_one_socket_and_shows_each_message_once", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await visit(bob, conversation, cable);
    await alice.say(conversation, "before");
    await eventually(() => expect(shown(mine)).toEqual(["before"]));
    cable.sever();
    await eventually(() => expect(mine.screen.text(".status")).toBe("Reconnecting..."));
    for (const text of texts("away", 20)) await alice.say(conversation, text);
    cable.heal();
    await eventually(() => expect(shown(mine)).toEqual(["before", ...texts("away", 20)]));
    await settled(mine, alice, conversation);
    // The first, the retries of the time without a way, one that was let in, and the one that its own counter costs.
    expect(mine.host.sockets.length).toBeLessThanOrEqual(8);
    await mine.screen.send("I am back");
    await eventually(() => expect(shown(mine).at(-1)).toBe("I am back"));
  });

  test("g5_room_ten_blips_in_a_row_lose_nothing", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await visit(bob, conversation, cable);
    for (let blip = 1; blip <= 10; blip += 1) {
      cable.cut();
      await alice.say(conversation, `blip ${blip}`);
      await eventually(() => expect(shown(mine)).toEqual(texts("blip", blip)));
    }
    await settled(mine, alice, conversation);
    // Two a blip, and some for a cut that hits the one too many.
    expect(mine.host.sockets.length).toBeLessThanOrEqual(41);
  });

  test("g5_room_a_killed_server_loses_nothing", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await visit(bob, conversation, cable);
    cable.sever();
    for (const text of texts("killed", 20)) await alice.say(conversation, text);
    await stage.server.kill();
    await stage.server.run();
    cable.heal();
    await eventually(() => expect(shown(mine)).toEqual(texts("killed", 20)));
    await settled(mine, alice, conversation);
  });

  test("g6_room_an_edit_made_during_a_cut_is_shown", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await visit(bob, conversation, cable);
    const { id } = await alice.say(conversation, "wrogn");
    await eventually(() => expect(shown(mine)).toEqual(["wrogn"]));
    cable.sever();
    await alice.edit(id, "right");
    cable.heal();
    await eventually(() => expect(shown(mine)).toEqual(["right"]));
  });
});

test("a refused token: five retries and no more", async () => {
  const { bob, conversation } = await pair();
  const host = stage.host({ speed: 200 });
  const mine = show(bob, conversation, host, mint(bob.id, { life: -10 }));
  await eventually(() => expect(host.closes).toHaveLength(6));
  await eventually(() => expect(mine.screen.text(".status")).toBe("Reconnecting..."));
  expect(host.sockets).toHaveLength(6);
  expect(host.frames).toEqual([]);
});

/** One socket, connected, and it stays so: a later message arrives on it and no other was opened for it. */
async function settled(browser: Browser, sender: Person, conversation: number): Promise<void> {
  const quiet = async (): Promise<void> => {
    const before = browser.host.sockets.length;
    const { id } = await sender.say(conversation, "settled?");
    const drawn = (): Element | null => browser.screen.element.querySelector(`[data-id="${id}"]`);
    await eventually(() => expect(drawn()).not.toBeNull(), 2_000);
    expect(browser.screen.text(".status")).toBe("Connected");
    expect(browser.host.open).toBe(1);
    expect(browser.host.sockets).toHaveLength(before);
  };
  // Each look is a message, and a person has only so many a second.
  await eventually(quiet, 15_000, 300);
  await quiet();
}
