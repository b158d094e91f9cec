// The `pusher` server SDK of npm: publishing, asking, signing, webhooks, against a plain Pusher application.
import type Sdk from "pusher";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Application, sdk } from "../support/application.js";
import { client, connected, endAll, subscribed } from "../support/pusher-js.js";
import { APP } from "../support/server.js";
import { eventually, Stage, saw, version } from "../support/stage.js";

const VERSION = `pusher (npm) ${version("pusher")}`;

const OTHER = { id: "815", key: "other-app-key", secret: "other-app-secret-of-the-conformance-kit" };

let stage: Stage;
let application: Application;
let server: Sdk;

beforeAll(async () => {
  application = await Application.start();
  // The first application gets its key and secret from the environment; the second has two keys of its own.
  const config = `
    [[pusher.apps]]
    id = "${APP.id}"
    webhooks = [{ url = "${application.url}/webhooks" }]

    [[pusher.apps]]
    id = "${OTHER.id}"
    keys = [
      { key = "${OTHER.key}", secret = "${OTHER.secret}" },
      { key = "second-${OTHER.key}", secret = "second-${OTHER.secret}" },
    ]
  `;
  stage = await Stage.open({ config });
  application.use(stage.server);
  server = sdk(stage.server);
});
afterEach(endAll);
afterAll(async () => {
  await stage.close();
  await application.close();
});

const user = (id: string): ReturnType<typeof client> => client(stage.server.http, application.options(id));

test("trigger to many channels, with what it asks back", async () => {
  const pusher = await connected(client(stage.server.http));
  const [one, two] = [await subscribed(pusher, "many-1"), await subscribed(pusher, "many-2")];
  const answer = await server.trigger(
    ["many-1", "many-2", "many-3"],
    "news",
    { n: 1 },
    { info: "subscription_count" },
  );
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({
    channels: { "many-1": { subscription_count: 1 }, "many-3": { subscription_count: 0 } },
  });
  for (const { heard } of [one, two])
    await eventually(() => expect(heard).toMatchObject([{ data: { n: 1 } }]));
  saw(VERSION, "trigger: 3 channels in one call, subscription_count asked back");
});

test("triggerBatch keeps the order", async () => {
  const { heard } = await subscribed(await connected(client(stage.server.http)), "batch");
  const events = Array.from({ length: 10 }, (_, n) => ({ channel: "batch", name: "item", data: { n } }));
  const answer = await server.triggerBatch(events);
  expect(answer.status).toBe(200);
  await eventually(() =>
    expect(heard.map(({ data }) => (data as { n: number }).n)).toEqual([...Array(10).keys()]),
  );
  saw(VERSION, "triggerBatch: 10 events in order");
});

test("channels, one channel, and the users on it", async () => {
  const name = "presence-lobby";
  await subscribed(await connected(user("1")), name);
  await subscribed(await connected(user("2")), name);
  await subscribed(await connected(user("2")), name);
  const ask = async (path: string, params: Record<string, string> = {}): Promise<unknown> =>
    (await server.get({ path, params })).json();
  expect(await ask("/channels", { filter_by_prefix: "presence-", info: "user_count" })).toEqual({
    channels: { [name]: { user_count: 2 } },
  });
  expect(await ask(`/channels/${name}`, { info: "user_count,subscription_count" })).toMatchObject({
    occupied: true,
    user_count: 2,
  });
  expect(await ask("/channels/nobody-here")).toMatchObject({ occupied: false });
  const { users } = (await ask(`/channels/${name}/users`)) as { users: { id: string }[] };
  expect(users.map(({ id }) => id).sort()).toEqual(["1", "2"]);
  await expect(server.get({ path: "/channels/a-public-one/users" })).rejects.toMatchObject({ status: 400 });
  saw(VERSION, "GET channels, channel, users: 2 people behind 3 sockets");
});

test("m10_bad credentials, an old request and a changed body are refused", async () => {
  const wrong = sdk(stage.server, { ...APP, secret: "not the secret" });
  await expect(wrong.trigger("c", "e", {})).rejects.toMatchObject({ status: 401 });
  const path = `/apps/${APP.id}/events`;
  const body = JSON.stringify({ name: "e", channels: ["c"], data: "{}" });
  const signed = server.createSignedQueryString({ method: "POST", path, body });
  const post = (query: string, text: string): Promise<Response> =>
    fetch(`${stage.server.http}${path}?${query}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: text,
    });
  expect((await post(signed, body)).status).toBe(200);
  expect((await post(signed, body.replace('"e"', '"f"'))).status).toBe(401);
  const old = String(Math.floor(Date.now() / 1_000) - 700);
  expect((await post(signed.replace(/auth_timestamp=\d+/, `auth_timestamp=${old}`), body)).status).toBe(401);
  saw(VERSION, "bad secret 401, changed body 401, timestamp 700 s old 401");
});

test("too much data is refused with 413", async () => {
  await expect(server.trigger("c", "e", "x".repeat(10_300))).rejects.toMatchObject({ status: 413 });
  saw(VERSION, "10.3 kB of data: 413");
});

test("webhooks arrive signed, also when the application failed at first", async () => {
  application.failing = 1;
  const told = (): string[] => application.webhooks.map(({ name, channel }) => `${name} ${channel}`);
  const first = await connected(user("1"));
  const { channel } = await subscribed(first, "presence-hooked");
  await eventually(() =>
    expect(told()).toEqual(
      expect.arrayContaining(["channel_occupied presence-hooked", "member_added presence-hooked"]),
    ),
  );
  channel.trigger("client-wave", { hand: "left" });
  await eventually(() => expect(told()).toContain("client_event presence-hooked"));
  const wave = application.webhooks.find(({ name }) => name === "client_event");
  expect(wave).toMatchObject({ event: "client-wave", user_id: "1" });
  const miss = client(stage.server.http);
  await subscribed(miss, "cache-hooked");
  await eventually(() => expect(told()).toContain("cache_miss cache-hooked"));
  first.disconnect();
  await eventually(() =>
    expect(told()).toEqual(
      expect.arrayContaining(["member_removed presence-hooked", "channel_vacated presence-hooked"]),
    ),
  );
  expect(application.forged).toBe(0);
  saw(
    VERSION,
    `webhooks, verified: ${[...new Set(application.webhooks.map(({ name }) => name))].join(", ")}`,
  );
});

test("applications are isolated; each of an application's keys opens it", async () => {
  const here = await subscribed(await connected(client(stage.server.http)), "same-name");
  const there = await subscribed(await connected(client(stage.server.http, {}, OTHER.key)), "same-name");
  const second = { ...OTHER, key: `second-${OTHER.key}`, secret: `second-${OTHER.secret}` };
  const alsoThere = await subscribed(await connected(client(stage.server.http, {}, second.key)), "same-name");
  await sdk(stage.server, OTHER).trigger("same-name", "from-other", {});
  await sdk(stage.server, second).trigger("same-name", "with-second-key", {});
  await server.trigger("same-name", "from-first", {});
  for (const { heard } of [there, alsoThere]) {
    await eventually(() =>
      expect(heard.map(({ event }) => event)).toEqual(["from-other", "with-second-key"]),
    );
  }
  await eventually(() => expect(here.heard.map(({ event }) => event)).toEqual(["from-first"]));
  await expect(sdk(stage.server, { ...APP, id: OTHER.id }).trigger("c", "e", {})).rejects.toMatchObject({
    status: 401,
  });
  saw(
    VERSION,
    "two applications with a channel of one name: nothing crosses; two keys of one: the same channel",
  );
});
