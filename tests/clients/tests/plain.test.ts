// The page of a lost-and-found board: whatever arrives is a bubble, so only messages may; it is reloaded to reconnect.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { PlainPage } from "../robots/plain.js";
import type { Cable } from "../support/cable.js";
import type { Host } from "../support/host.js";
import { eventually, type Person, Stage, texts } from "../support/stage.js";

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

interface Browser {
  readonly host: Host;
  readonly page: PlainPage;
}

interface Visit {
  readonly me: Person;
  readonly other: Person;
  readonly conversation: number;
  readonly through?: Cable;
  readonly item?: number;
  readonly reloads?: boolean;
}

async function visit({ me, other, conversation, through, ...rest }: Visit): Promise<Browser> {
  const host = stage.host({ cookie: await me.cookie(), ...(through ? { through } : {}) });
  const page = new PlainPage(host, { me: me.number, recipient: other.number, conversation, ...rest });
  await eventually(() => expect(host.open).toBe(1));
  return { host, page };
}

test("a message becomes a bubble on both pages, with author and time", async () => {
  const { alice, bob, conversation } = await pair();
  const mine = await visit({ me: bob, other: alice, conversation });
  const hers = await visit({ me: alice, other: bob, conversation });
  mine.page.send("Hello, I found your item!");
  await eventually(() => expect(hers.page.shown).toEqual(["Hello, I found your item!"]));
  await eventually(() => expect(mine.page.shown).toEqual(["Hello, I found your item!"]));
  expect(hers.page.bubbles[0]).toMatchObject({ mine: false, author: bob.name, image: null });
  expect(mine.page.bubbles[0]?.mine).toBe(true);
  expect(mine.page.bubbles[0]?.id).toBe(hers.page.bubbles[0]?.id);
  const date = /^([A-Z][a-z]{2,3}\.|March|April|May|June|July) \d{1,2}, \d{4}, \d\d:\d\d (AM|PM)$/;
  expect(hers.page.bubbles[0]?.time).toMatch(date);
});

test("the item is kept as the conversation's subject", async () => {
  const { alice, bob, conversation } = await pair();
  const mine = await visit({ me: bob, other: alice, conversation, item: 5 });
  mine.page.send("About the umbrella");
  await eventually(() => expect(mine.page.shown).toHaveLength(1));
  expect(mine.host.frames[0]).toMatchObject({ item_id: 5 });
  const kept = await bob.ask<{ subject: string }>("GET", `/api/v1/conversations/${conversation}`);
  expect(kept.subject).toMatch(/\b5$/);
});

test("typing, receipts, edits and deletions of others draw nothing", async () => {
  const { alice, bob, conversation } = await pair();
  const mine = await visit({ me: bob, other: alice, conversation });
  const { id } = await alice.say(conversation, "first");
  await alice.edit(id, "first, edited");
  const { id: gone } = await alice.say(conversation, "second");
  await alice.remove(gone);
  const own = await bob.say(conversation, "third");
  await alice.read(conversation, own.id);
  await alice.say(conversation, "fence");
  await eventually(() => expect(mine.page.shown).toEqual(["first", "second", "third", "fence"]));
});

test("somebody else's sender_id is refused, and nothing is stored", async () => {
  const { alice, bob, conversation } = await pair();
  const host = stage.host({ cookie: await bob.cookie() });
  const forger = new PlainPage(host, { me: alice.number, recipient: bob.number, conversation });
  await eventually(() => expect(host.open).toBe(1));
  forger.send("as if I were Alice");
  await eventually(() => expect(host.frames).toHaveLength(1));
  expect(host.frames[0]).toMatchObject({ type: "error", code: "forbidden" });
  expect(await alice.log(conversation)).toEqual([]);
});

test("a recipient who is not in the conversation is refused", async () => {
  const { alice, bob, conversation } = await pair();
  const stranger = await pair();
  const mine = await visit({ me: bob, other: stranger.alice, conversation });
  mine.page.send("to a stranger");
  await eventually(() => expect(mine.host.frames[0]).toMatchObject({ type: "error", code: "not_found" }));
  expect(await alice.log(conversation)).toEqual([]);
});

describe("g5 nothing is lost", () => {
  test("g5_plain_what_was_said_before_the_reload_is_drawn_after_it", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await visit({ me: bob, other: alice, conversation, through: cable, reloads: true });
    await alice.say(conversation, "before");
    await eventually(() => expect(mine.page.shown).toEqual(["before"]));
    await mine.host.proved();
    cable.sever();
    for (const text of texts("away", 20)) await alice.say(conversation, text);
    cable.heal();
    await eventually(() => expect(mine.page.shown.at(-1)).toBe("away 20"));
    await alice.say(conversation, "after");
    await eventually(() => expect(mine.page.shown.at(-1)).toBe("after"));
    const drawn = mine.page.drawn.map(({ text }) => text);
    expect(drawn).toEqual(["before", ...texts("away", 20), "after"]);
    expect(mine.page.loads).toBeGreaterThanOrEqual(2);
  });

  test("g5_plain_a_killed_server_loses_nothing", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await visit({ me: bob, other: alice, conversation, through: cable, reloads: true });
    cable.sever();
    for (const text of texts("killed", 20)) await alice.say(conversation, text);
    await stage.server.kill();
    await stage.server.run();
    cable.heal();
    const drawn = (): string[] => [...new Set(mine.page.drawn.map(({ text }) => text))];
    await eventually(() => expect(drawn()).toEqual(texts("killed", 20)));
  });

  test("g5_plain_a_reload_by_hand_brings_what_was_said_in_between", async () => {
    const { alice, bob, conversation } = await pair();
    const mine = await visit({ me: bob, other: alice, conversation });
    await alice.say(conversation, "seen");
    await eventually(() => expect(mine.page.shown).toEqual(["seen"]));
    await mine.host.proved();
    mine.page.leave();
    await eventually(() => expect(mine.host.closes).toHaveLength(1));
    for (const text of texts("between", 5)) await alice.say(conversation, text);
    mine.page.load();
    await eventually(() => expect(mine.page.shown).toEqual(texts("between", 5)));
  });
});

describe("who may come in", () => {
  test("a page without a session is let in and told 4401", async () => {
    const { alice, bob, conversation } = await pair();
    const host = stage.host();
    const page = new PlainPage(host, { me: bob.number, recipient: alice.number, conversation });
    await eventually(() => expect(page.codes).toEqual([4401]));
    expect(host.frames).toEqual([]);
  });

  test.each([
    ["a conversation of others", (theirs: number) => theirs],
    ["one that is not there", () => 987_654_321],
  ])("m4_%s is told 4403 and nothing else", async (_, which) => {
    const { conversation } = await pair();
    const { alice, bob } = await pair();
    const host = stage.host({ cookie: await bob.cookie() });
    const options = { me: bob.number, recipient: alice.number, conversation: which(conversation) };
    const page = new PlainPage(host, options);
    await eventually(() => expect(page.codes).toEqual([4403]));
    expect(host.frames).toEqual([]);
  });
});
