// The Flutter client with one socket a user: sends, typing, receipts, cuts, crashes, and refusals that must not breed sockets.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { DirectScreen } from "../robots/direct.js";
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

/** Two people that no other test has, and their conversation. */
async function pair(): Promise<{ alice: Person; bob: Person; conversation: number }> {
  people += 2;
  return stage.pair(String(people), String(people + 1));
}

interface Phone {
  readonly host: Host;
  readonly screen: DirectScreen;
}

async function phone(me: Person, other: Person, through?: Cable): Promise<Phone> {
  const host = stage.host(through ? { through } : {});
  const screen = new DirectScreen(host, me.number, other.number, `?dialect=direct&token=${me.token}`);
  await eventually(() => expect(host.open).toBe(1));
  return { host, screen };
}

test("a message is drawn on both sides when it arrives, once and with the same id", async () => {
  const { alice, bob } = await pair();
  const [mine, hers] = [await phone(bob, alice), await phone(alice, bob)];
  mine.screen.send("Is it still there?");
  await eventually(() => expect(hers.screen.shown).toEqual(["Is it still there?"]));
  hers.screen.send("It is.");
  await eventually(() => expect(mine.screen.shown).toEqual(["Is it still there?", "It is."]));
  await eventually(() => expect(hers.screen.messages).toHaveLength(2));

  const [newest] = mine.screen.messages;
  expect(newest).toEqual({
    id: expect.any(Number),
    sender: alice.number,
    sender_username: alice.name,
    receiver: bob.number,
    receiver_username: bob.name,
    content: "It is.",
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    is_read: false,
  });
  expect(hers.screen.messages.map(({ id }) => id)).toEqual(mine.screen.messages.map(({ id }) => id));
});

test("someone never written to before is found or made by the first message", async () => {
  people += 2;
  const alice = stage.person(String(people), "new-alice");
  const bob = stage.person(String(people + 1), "new-bob");
  const hers = await phone(alice, bob);
  const mine = await phone(bob, alice);
  mine.screen.send("Hello, stranger");
  await eventually(() => expect(hers.screen.shown).toEqual(["Hello, stranger"]));
});

test("typing is told by key, shown to the other one alone, and ends", async () => {
  const { alice, bob } = await pair();
  const [mine, hers] = [await phone(bob, alice), await phone(alice, bob)];
  for (let key = 0; key < 20; key += 1) mine.screen.type();
  await eventually(() => expect(hers.screen.subtitle).toBe("typing..."));
  await eventually(() => expect(hers.screen.subtitle).toBe(""));
  expect(hers.host.received("typing").length).toBeLessThanOrEqual(3);
  expect(mine.host.received("typing")).toEqual([]);
});

test("receipts at every drawing name each message once, and none of them is refused", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine, hers] = [await phone(bob, alice), await phone(alice, bob)];
  for (const text of texts("unread", 30)) await alice.say(conversation, text);
  await eventually(() => expect(mine.screen.shown).toEqual(texts("unread", 30)));

  const ids = mine.screen.messages.map(({ id }) => id).reverse();
  const told = (): unknown[] => hers.host.received("read").flatMap((frame) => frame.message_ids as unknown[]);
  await eventually(() => expect(told()).toEqual(ids));
  expect(hers.host.received("read").every((frame) => frame.user_id === bob.number)).toBe(true);
  // 1 + 2 + … + 30 were sent.
  await eventually(() => expect(mine.host.sent.length).toBeGreaterThanOrEqual(465));
  mine.screen.send("and still here");
  await eventually(() => expect(hers.screen.shown.at(-1)).toBe("and still here"));
  expect(mine.host.received("error")).toEqual([]);
});

test("edits and deletions reach the other side", async () => {
  const { alice, bob } = await pair();
  const [mine, hers] = [await phone(bob, alice), await phone(alice, bob)];
  mine.screen.send("wrogn");
  await eventually(() => expect(hers.screen.messages).toHaveLength(1));
  const id = hers.screen.messages[0]?.id ?? 0;
  mine.screen.edit(id, "right");
  await eventually(() =>
    expect(hers.host.received("edited")).toEqual([
      { type: "edited", message: expect.objectContaining({ id, content: "right" }) },
    ]),
  );
  mine.screen.remove(id);
  await eventually(() => expect(hers.host.received("deleted")).toEqual([{ type: "deleted", id }]));
});

describe("g5 nothing is lost", () => {
  test("g5_direct_what_was_said_during_a_cut_arrives_once_and_in_order", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await phone(bob, alice, cable);
    await alice.say(conversation, "before");
    await eventually(() => expect(mine.screen.shown).toEqual(["before"]));
    await mine.host.proved();
    cable.sever();
    for (const text of texts("away", 20)) await alice.say(conversation, text);
    cable.heal();
    await eventually(() =>
      expect(new Set(mine.screen.shown)).toEqual(new Set(["before", ...texts("away", 20)])),
    );
    await alice.say(conversation, "after");
    await eventually(() => expect(mine.screen.shown).toContain("after"));
    const first = [...new Set(mine.screen.shown)];
    expect(first).toEqual(["before", ...texts("away", 20), "after"]);
  });

  test("g5_direct_a_short_cut_doubles_nothing", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await phone(bob, alice, cable);
    await alice.say(conversation, "before");
    await eventually(() => expect(mine.screen.shown).toEqual(["before"]));
    await mine.host.proved();
    // Cut and open again at once: the next attempt succeeds, so that there is one socket all the time.
    cable.cut();
    for (const text of texts("blip", 20)) await alice.say(conversation, text);
    await eventually(() => expect(mine.host.open).toBe(1));
    await alice.say(conversation, "end");
    await eventually(() => expect(mine.screen.shown).toEqual(["before", ...texts("blip", 20), "end"]));
    expect(mine.host.sockets).toHaveLength(2);
  });

  test("g6_direct_edits_and_deletions_made_during_a_cut_are_told", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await phone(bob, alice, cable);
    const edited = await alice.say(conversation, "to be edited");
    const deleted = await alice.say(conversation, "to be deleted");
    await eventually(() => expect(mine.screen.shown).toHaveLength(2));
    await mine.host.proved();
    cable.sever();
    await alice.edit(edited.id, "edited");
    await alice.remove(deleted.id);
    cable.heal();
    await eventually(() => {
      expect(mine.host.received("edited")).toContainEqual(
        expect.objectContaining({ message: expect.objectContaining({ id: edited.id, content: "edited" }) }),
      );
      expect(mine.host.received("deleted")).toContainEqual({ type: "deleted", id: deleted.id });
    });
  });

  test("g5_direct_a_killed_server_loses_nothing_though_the_client_doubles_its_sockets", async () => {
    const { alice, bob, conversation } = await pair();
    const cable = await stage.cable();
    const mine = await phone(bob, alice, cable);
    cable.sever();
    for (const text of texts("killed", 20)) await alice.say(conversation, text);
    await stage.server.kill();
    await stage.server.run();
    cable.heal();
    await eventually(() => expect([...new Set(mine.screen.shown)]).toEqual(texts("killed", 20)));
    await alice.say(conversation, "alive");
    await eventually(() =>
      expect([...new Set(mine.screen.shown)]).toEqual([...texts("killed", 20), "alive"]),
    );
  });
});

describe("who may come in", () => {
  test("the session cookie serves a client that sends no token", async () => {
    const { alice, bob } = await pair();
    const host = stage.host({ cookie: await bob.cookie() });
    const screen = new DirectScreen(host, bob.number, alice.number);
    const hers = await phone(alice, bob);
    screen.send("by cookie");
    await eventually(() => expect(hers.screen.shown).toEqual(["by cookie"]));
  });

  test("one without either is let in and shown out, so that its sockets do not breed", async () => {
    const { alice, bob } = await pair();
    const host = stage.host({ speed: 100 });
    new DirectScreen(host, bob.number, alice.number);
    await eventually(() => expect(host.sockets.length).toBeGreaterThanOrEqual(8));
    expect(new Set(host.closes)).toEqual(new Set([4401]));
    // One at a time: each end is dialled again once.
    expect(host.sockets.length - host.closes.length).toBeLessThanOrEqual(1);
    expect(host.frames).toEqual([]);
  });

  test.each([
    ["an expired token", (id: string) => mint(id, { life: -10 })],
    ["a token of another secret", (id: string) => mint(id, { secret: "x".repeat(40) })],
  ])("%s is told 4401", async (_, token) => {
    const { alice, bob } = await pair();
    const host = stage.host();
    new DirectScreen(host, bob.number, alice.number, `?dialect=direct&token=${token(bob.id)}`);
    await eventually(() => expect(host.closes[0]).toBe(4401));
  });

  test("a screen that was left goes on knocking and disturbs nobody", async () => {
    const { alice, bob, conversation } = await pair();
    const mine = await phone(bob, alice);
    const hers = await phone(alice, bob);
    mine.screen.dispose();
    await eventually(() => expect(mine.host.sockets).toHaveLength(2));
    await eventually(() => expect(mine.host.open).toBe(1));
    await bob.say(conversation, "after leaving");
    await eventually(() => expect(hers.screen.shown).toEqual(["after leaving"]));
  });
});
