// pusher-js on chat channels: authorised by the server's own endpoint, and sent what was missed, without being asked.
import type { PresenceChannel } from "pusher-js";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Cable } from "../support/cable.js";
import { client, connected, endAll, listen, subscribed } from "../support/pusher-js.js";
import { eventually, type Person, Stage, saw, texts, version } from "../support/stage.js";

const VERSION = `pusher-js ${version("pusher-js")}`;

interface Sent {
  readonly type: string;
  readonly data: { readonly message: { readonly content: string; readonly id: number } };
}

let stage: Stage;
let people = 100;

beforeAll(async () => {
  stage = await Stage.open();
});
afterEach(async () => {
  endAll();
  await stage.clear();
});
afterAll(() => stage.close());

async function pair(): Promise<{ alice: Person; bob: Person; conversation: number }> {
  people += 2;
  return stage.pair(String(people), String(people + 1));
}

function page(person: Person, through?: Cable): ReturnType<typeof client> {
  const headers = { Authorization: `Bearer ${person.token}` };
  const endpoint = `${stage.server.http}/broadcasting/auth`;
  const channelAuthorization = { endpoint, transport: "ajax", headers };
  return client(through?.http ?? stage.server.http, { channelAuthorization });
}

const contents = (heard: readonly { event: string; data: unknown }[]): string[] =>
  heard
    .filter(({ event }) => event === "MessageSentEvent")
    .map(({ data }) => (data as Sent).data.message.content);

test("one's own channel carries one's conversations", async () => {
  const { alice, bob, conversation } = await pair();
  const { channel, heard } = await subscribed(await connected(page(bob)), `private-user.${bob.id}`);
  const { id } = await alice.say(conversation, "hello over REST");
  await eventually(() => expect(contents(heard)).toEqual(["hello over REST"]));
  expect(heard[0]?.data).toMatchObject({
    type: "message",
    data: { message: { id, conversation_id: conversation } },
  });

  channel.trigger("client-message", { conversation_id: conversation, content: "over Pusher", tempId: "t1" });
  await eventually(async () => expect((await alice.log(conversation)).at(-1)?.content).toBe("over Pusher"));
  await bob.read(conversation, id);
  await alice.edit(id, "hello, edited");
  await alice.remove(id);
  await eventually(() =>
    expect(heard.map(({ event }) => event)).toEqual(
      expect.arrayContaining(["MessageEditedEvent", "MessageDeletedEvent"]),
    ),
  );
  saw(VERSION, `private-user.N: ${[...new Set(heard.map(({ event }) => event))].join(", ")}`);
});

test("a conversation's channels are for its participants; presence shows who is there", async () => {
  const { alice, bob, conversation } = await pair();
  const mine = await subscribed(await connected(page(bob)), `private-conversation.${conversation}`);
  const here = await subscribed(await connected(page(bob)), `presence-conversation.${conversation}`);
  const hers = await subscribed(await connected(page(alice)), `presence-conversation.${conversation}`);
  await alice.say(conversation, "in the room");
  for (const { heard } of [mine, here, hers]) {
    await eventually(() => expect(contents(heard)).toEqual(["in the room"]));
  }
  const { members } = hers.channel as PresenceChannel;
  expect(members.count).toBe(2);
  expect(members.get(bob.id)).toMatchObject({ id: bob.id });
  saw(VERSION, "private- and presence-conversation.N: message on both, 2 members");
});

test("m1_channels of others are refused", async () => {
  const { alice, conversation } = await pair();
  const stranger = (await pair()).bob;
  const pusher = await connected(page(stranger));
  for (const name of [`private-user.${alice.id}`, `private-conversation.${conversation}`]) {
    const { errors } = listen(pusher, name);
    await eventually(() => expect(errors).toMatchObject([{ status: 403 }]));
  }
  expect(pusher.connection.state).toBe("connected");
  saw(VERSION, "chat channels of others: authorisation 403, connection kept");
});

test("g5_pusher_js_gets_what_it_missed_after_a_cut_and_after_a_crash", async () => {
  const { alice, bob, conversation } = await pair();
  const cable = await stage.cable();
  const pusher = await connected(page(bob, cable));
  const { heard } = await subscribed(pusher, `private-user.${bob.id}`);
  await alice.say(conversation, "before");
  await eventually(() => expect(contents(heard)).toEqual(["before"]));
  cable.sever();
  for (const text of texts("away", 20)) await alice.say(conversation, text);
  cable.heal();
  const expected = ["before", ...texts("away", 20)];
  await eventually(() => expect([...new Set(contents(heard))]).toEqual(expected), 30_000);

  cable.sever();
  for (const text of texts("killed", 20)) await alice.say(conversation, text);
  await stage.server.kill();
  await stage.server.run();
  cable.heal();
  expected.push(...texts("killed", 20));
  await eventually(() => expect([...new Set(contents(heard))]).toEqual(expected), 30_000);
  saw(
    VERSION,
    `40 messages missed in a cut and a crash: all there in order, ${contents(heard).length - 41} doubled`,
  );
});
