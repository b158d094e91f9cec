// What ends a socket while it lives, what it says then, and users whose ids are no numbers.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { InboxClient } from "../robots/inbox.js";
import { PlainPage } from "../robots/plain.js";
import type { Host } from "../support/host.js";
import { eventually, Person, Stage } from "../support/stage.js";

let stage: Stage;
let people = 100;

beforeAll(async () => {
  stage = await Stage.open();
});
afterEach(() => stage.clear());
afterAll(() => stage.close());

function next(): [string, string] {
  people += 2;
  return [String(people), String(people + 1)];
}

/** The address of each dialect for somebody in a conversation. */
const PATHS = {
  direct: () => "/ws/chat/?dialect=direct&",
  inbox: () => "/ws/chat/?",
  room: (conversation: number) => `/ws/chat/${conversation}/?`,
  plain: (conversation: number) => `/ws/chat/${conversation}/?dialect=plain&`,
} as const;

function dial(dialect: keyof typeof PATHS, conversation: number, token: string): Host {
  const host = stage.host();
  new host.WebSocket(`${host.ws}${PATHS[dialect](conversation)}token=${token}`);
  return host;
}

const dialects = Object.keys(PATHS) as (keyof typeof PATHS)[];

describe("a socket is ended", () => {
  test.each(dialects)("%s: with 4401 when its token expires", async (dialect) => {
    const { alice, conversation } = await stage.pair(...next());
    const brief = new Person(stage.server, alice.id, alice.name, { life: 3 });
    const host = dial(dialect, conversation, brief.token);
    await eventually(() => expect(host.open).toBe(1));
    await eventually(() => expect(host.closes).toEqual([4401]));
  });

  test.each(["room", "plain"] as const)("%s: with 4403 when its user is taken out", async (dialect) => {
    const [one, two] = next();
    const [owner, guest] = [stage.person(one, "owner"), stage.person(two, "guest")];
    const conversation = await owner.converse(guest, stage.person(`${one}0`, "third"));
    const host = dial(dialect, conversation, guest.token);
    await eventually(() => expect(host.open).toBe(1));
    await owner.ask("DELETE", `/api/v1/conversations/${conversation}/participants/${guest.id}`);
    await eventually(() => expect(host.closes).toEqual([4403]));
    const again = dial(dialect, conversation, guest.token);
    await eventually(() => expect(again.closes).toEqual([dialect === "plain" ? 4403 : 1006]));
  });

  test.each(dialects)("%s: with 1012 or 1001 when the server goes", async (dialect) => {
    const { alice, conversation } = await stage.pair(...next());
    const host = dial(dialect, conversation, alice.token);
    await eventually(() => expect(host.open).toBe(1));
    await stage.server.kill("SIGTERM");
    await eventually(() => expect([1001, 1012]).toContain(host.closes[0]));
    await stage.server.run();
  });
});

test("an unknown dialect is refused with 400", async () => {
  const { alice } = await stage.pair(...next());
  const host = stage.host();
  const socket = new host.WebSocket(`${host.ws}/ws/chat/?dialect=klingon&token=${alice.token}`);
  const refusals: string[] = [];
  socket.onerror = (event) => refusals.push((event as ErrorEvent).message);
  await eventually(() => expect(refusals[0]).toMatch(/400/));
});

test("ids that are no numbers are strings everywhere", async () => {
  const [carla, dmitri] = [stage.person("c-0001", "carla"), stage.person("007", "dmitri")];
  const conversation = await carla.converse(dmitri);
  const host = stage.host();
  const inbox = new InboxClient(host, carla.token);
  inbox.connect();
  await eventually(() =>
    expect(host.frames[0]).toMatchObject({ type: "connection_established", user_id: "c-0001" }),
  );
  const cookie = await dmitri.cookie();
  const page = new PlainPage(stage.host({ cookie }), { me: "007", recipient: "c-0001", conversation });
  await eventually(() => {
    page.send("no numbers");
    expect(page.shown.length).toBeGreaterThan(0);
  });
  await eventually(() => expect(inbox.displayed[0]).toMatchObject({ sender_id: "007", text: "no numbers" }));
  inbox.sendMessage(conversation, "007", "none here either");
  await eventually(() => expect(page.shown).toContain("none here either"));
  expect(page.bubbles.find(({ mine }) => !mine)).toMatchObject({ author: "carla" });
});
