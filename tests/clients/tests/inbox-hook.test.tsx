// The inbox client's hook, mounted for real: it dials again every three seconds, also after its screen has gone.
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { InboxScreen } from "../robots/inbox-hook.js";
import { Screen } from "../robots/mount.js";
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

interface Phone {
  readonly host: Host;
  readonly screen: Screen;
}

function phone(me: Person, other: Person, conversation: number, through?: Cable, token = me.token): Phone {
  const host = stage.host(through ? { through } : {});
  const client = { host, token, user: me.id, conversation, receiver: other.number };
  const screen = Screen.show(<InboxScreen {...client} />);
  screens.push(screen);
  return { host, screen };
}

async function pair(): Promise<{ alice: Person; bob: Person; conversation: number }> {
  people += 2;
  return stage.pair(String(people), String(people + 1));
}

const connected = (one: Phone): Promise<void> =>
  eventually(() => expect(one.screen.text(".status")).toBe("Connected"));

test("two phones talk; a sender's own list shows what others say", async () => {
  const { alice, bob, conversation } = await pair();
  const [mine, hers] = [phone(bob, alice, conversation), phone(alice, bob, conversation)];
  await Promise.all([connected(mine), connected(hers)]);
  await mine.screen.send("from the phone");
  await eventually(() => expect(hers.screen.all(".message")).toEqual(["from the phone"]));
  await hers.screen.send("back");
  await eventually(() => expect(mine.screen.all(".message")).toEqual(["back"]));
  // The receipt that the hook sends for it arrives.
  await eventually(() => expect(hers.host.received("read_receipt")).toHaveLength(1));
});

test("g5_inbox_hook_what_was_said_while_it_was_away_arrives_once_and_in_order", async () => {
  const { alice, bob, conversation } = await pair();
  const cable = await stage.cable();
  const mine = phone(bob, alice, conversation, cable);
  await connected(mine);
  await alice.say(conversation, "before");
  await eventually(() => expect(mine.screen.all(".message")).toEqual(["before"]));
  await mine.host.proved();
  cable.sever();
  await eventually(() => expect(mine.screen.text(".status")).toBe("Offline"));
  for (const text of texts("away", 20)) await alice.say(conversation, text);
  cable.heal();
  await eventually(() => expect(mine.screen.all(".message")).toContain("away 20"));
  expect(mine.screen.all(".message")).toEqual(["before", ...texts("away", 20)]);
});

test("g5_inbox_hook_a_killed_server_loses_nothing", async () => {
  const { alice, bob, conversation } = await pair();
  const cable = await stage.cable();
  const mine = phone(bob, alice, conversation, cable);
  await connected(mine);
  cable.sever();
  for (const text of texts("killed", 20)) await alice.say(conversation, text);
  await stage.server.kill();
  await stage.server.run();
  cable.heal();
  await eventually(() => expect([...new Set(mine.screen.all(".message"))]).toEqual(texts("killed", 20)));
});

test("a screen that is gone leaves a socket behind, which takes nothing from the next screen", async () => {
  const { alice, bob, conversation } = await pair();
  const first = phone(bob, alice, conversation);
  await connected(first);
  first.screen.unmount();
  screens.splice(screens.indexOf(first.screen), 1);
  await eventually(() => expect(first.host.sockets).toHaveLength(2));
  await eventually(() => expect(first.host.open).toBe(1));

  const second = phone(bob, alice, conversation);
  await connected(second);
  for (const text of texts("still", 5)) await alice.say(conversation, text);
  await eventually(() => expect(second.screen.all(".message")).toEqual(texts("still", 5)));
  // The one left behind is a socket as any other.
  await eventually(() => expect(first.host.received("new_message")).toHaveLength(5));
});

test("a refused token is asked again for ever, without harm", async () => {
  const { alice, bob, conversation } = await pair();
  const mine = phone(bob, alice, conversation, undefined, mint(bob.id, { life: -10 }));
  await eventually(() => expect(mine.host.sockets.length).toBeGreaterThanOrEqual(8));
  expect(new Set(mine.host.closes)).toEqual(new Set([1006]));
  expect(mine.screen.text(".status")).toBe("Offline");
  expect(mine.host.frames).toEqual([]);
});
