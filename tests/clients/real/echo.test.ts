// laravel-echo over pusher-js, as a Laravel front end uses it: private and presence channels, whispers, errors.
import Echo from "laravel-echo";
import Pusher from "pusher-js";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { APP } from "../support/server.js";
import { eventually, type Person, Stage, saw, version } from "../support/stage.js";

const VERSION = `laravel-echo ${version("laravel-echo")} over pusher-js ${version("pusher-js")}`;

let stage: Stage;
const open: Echo<"reverb">[] = [];

beforeAll(async () => {
  stage = await Stage.open();
});
afterEach(() => {
  for (const echo of open.splice(0)) echo.disconnect();
});
afterAll(() => stage.close());

async function echo(person: Person): Promise<Echo<"reverb">> {
  const made = new Echo({
    broadcaster: "reverb",
    Pusher,
    key: APP.key,
    wsHost: "127.0.0.1",
    wsPort: stage.server.port,
    forceTLS: false,
    enabledTransports: ["ws"],
    authEndpoint: `${stage.server.http}/broadcasting/auth`,
    bearerToken: person.token,
  });
  open.push(made);
  await eventually(() => expect(made.socketId()).toMatch(/^\d+\.\d+$/));
  return made;
}

test("listen on one's private channel", async () => {
  const { alice, bob, conversation } = await stage.pair("1", "2");
  const heard: { type: string; data: { message: { content: string } } }[] = [];
  const ready: boolean[] = [];
  (await echo(bob))
    .private(`user.${bob.id}`)
    .subscribed(() => ready.push(true))
    .listen(".MessageSentEvent", (event: (typeof heard)[number]) => heard.push(event));
  await eventually(() => expect(ready).toEqual([true]));
  await alice.say(conversation, "from the product");
  await eventually(() => expect(heard.map(({ data }) => data.message.content)).toEqual(["from the product"]));
  saw(VERSION, "private(user.2).listen(.MessageSentEvent): message with bearer token");
});

test("join a presence channel: here, joining, leaving, whispers", async () => {
  const { alice, bob, conversation } = await stage.pair("3", "4");
  const told: string[] = [];
  const names = (people: { id: string }[]): string => people.map(({ id }) => id).join(",");
  const channel = `conversation.${conversation}`;
  (await echo(alice))
    .join(channel)
    .here((people: { id: string }[]) => told.push(`here ${people.length}`))
    .joining((person: { id: string }) => told.push(`joining ${names([person])}`))
    .leaving((person: { id: string }) => told.push(`leaving ${names([person])}`))
    .listenForWhisper("cursor", ({ x }: { x: number }) => told.push(`whisper ${x}`));
  await eventually(() => expect(told).toEqual(["here 1"]));
  const second = await echo(bob);
  const joined: boolean[] = [];
  const theirs = second.join(channel).here(() => joined.push(true));
  await eventually(() => expect(joined).toEqual([true]));
  await eventually(() => expect(told[1]).toMatch(/^joining/));
  theirs.whisper("cursor", { x: 7 });
  await eventually(() => expect(told.at(-1)).toBe("whisper 7"));
  second.leave(channel);
  await eventually(() => expect(told.at(-1)).toMatch(/^leaving/));
  saw(VERSION, `join(conversation.N): ${told.join(", ")}`);
});

test("m1_a channel of somebody else calls error()", async () => {
  const { alice, bob } = await stage.pair("5", "6");
  const errors: { status: number }[] = [];
  const channel = (await echo(bob)).private(`user.${alice.id}`);
  channel.error((error: { status: number }) => errors.push(error));
  await eventually(() => expect(errors).toMatchObject([{ status: 403 }]));
  saw(VERSION, "private channel of another user: error() with 403");
});
