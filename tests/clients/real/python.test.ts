// The real Python clients: the `pusher` server SDK, Pysher (which speaks protocol 6), and the `websockets` inbox example.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Application, sdk } from "../support/application.js";
import { client, connected, endAll, subscribed } from "../support/pusher-js.js";
import { pythonClients, pythonVersion, Script } from "../support/python.js";
import { APP } from "../support/server.js";
import { eventually, Stage, saw } from "../support/stage.js";

describe.skipIf(!pythonClients())("python", () => {
  let stage: Stage;
  let application: Application;
  const scripts: Script[] = [];

  beforeAll(async () => {
    application = await Application.start();
    stage = await Stage.open({ demo: true });
    application.use(stage.server);
  });
  afterEach(async () => {
    endAll();
    for (const script of scripts.splice(0)) await script.stop();
  });
  afterAll(async () => {
    await stage.close();
    await application.close();
  });

  function run(name: string, args: string[], env: Record<string, string> = {}): Script {
    const app = { APP_ID: APP.id, APP_KEY: APP.key, APP_SECRET: APP.secret, PORT: String(stage.server.port) };
    const script = new Script(name, args, { ...app, ...env });
    scripts.push(script);
    return script;
  }

  test("the server SDK: publishes, asks, is refused where it should be", async () => {
    const channel = "presence-python";
    const pusher = await connected(client(stage.server.http, application.options("7")));
    const { heard } = await subscribed(pusher, channel);
    const script = run("server_sdk.py", [channel]);
    expect([await script.ended, script.errors]).toEqual([0, ""]);
    const value = (call: string): unknown => script.lines.find((line) => line.call === call)?.value;
    expect(value("channels_info")).toEqual({ channels: { [channel]: { user_count: 1 } } });
    expect(value("channel_info")).toMatchObject({ occupied: true, user_count: 1 });
    expect(value("users_info")).toEqual({ users: [{ id: "7" }] });
    expect(value("bad secret")).toBe("PusherBadAuth");
    expect(value("users of a public channel")).toBe("PusherBadRequest");
    await eventually(() =>
      expect(heard.map(({ data }) => data)).toEqual([
        { from: "python" },
        { from: "many" },
        { n: 0 },
        { n: 1 },
        { n: 2 },
      ]),
    );
    saw(
      pythonVersion("pusher"),
      `${script.lines.length} calls: ${script.lines.map(({ call }) => call).join(", ")}`,
    );
  });

  test("Pysher: connects with protocol 6, signs by itself, hears events and sends one", async () => {
    const script = run("pysher_client.py", ["python-public", "private-python", "presence-pysher"]);
    const named = (event: string): unknown[] => script.lines.filter((line) => line.event === event);
    await eventually(() => expect(named("pusher_internal:subscription_succeeded")).toHaveLength(3));
    const server = sdk(stage.server);
    for (const channel of ["python-public", "private-python", "presence-pysher"]) {
      await server.trigger(channel, "python", { channel });
    }
    await eventually(() => expect(named("python")).toHaveLength(3));
    const pusher = await connected(client(stage.server.http, application.options("8")));
    const { heard } = await subscribed(pusher, "presence-pysher");
    script.write("wave");
    await eventually(() => expect(heard).toMatchObject([{ event: "client-wave", data: { hand: "left" } }]));
    expect(named("error")).toEqual([]);
    saw(
      pythonVersion("Pysher"),
      "public, private, presence: subscribed; 3 events heard; client event relayed",
    );
  });

  test("Pysher on a chat channel: authorised by form with a bearer token", async () => {
    const { alice, bob, conversation } = await stage.pair();
    const env = { AUTH_ENDPOINT: `${stage.server.http}/broadcasting/auth`, TOKEN: bob.token };
    const script = run("pysher_client.py", [`private-user.${bob.id}`], env);
    const named = (event: string): Record<string, unknown>[] =>
      script.lines.filter((line) => line.event === event);
    await eventually(() => expect(named("pusher_internal:subscription_succeeded")).toHaveLength(1));
    await alice.say(conversation, "to the Python listener");
    await eventually(() =>
      expect(String(named("MessageSentEvent")[0]?.data)).toMatch(/to the Python listener/),
    );
    saw(pythonVersion("Pysher"), "private-user.2: MessageSentEvent with the message");
  });

  test("the inbox example: refused without a token, confirmed with one", async () => {
    const bare = run("inbox_snippet.py", [`${stage.server.http.replace("http", "ws")}/ws/chat/`]);
    await bare.ended;
    expect(bare.lines).toEqual([{ refused: 401 }]);
    const { alice } = await stage.pair();
    const uri = `${stage.server.http.replace("http", "ws")}/ws/chat/?token=${alice.token}`;
    const script = run("inbox_snippet.py", [uri]);
    expect([await script.ended, script.errors]).toEqual([0, ""]);
    expect(script.lines).toMatchObject([
      { type: "connection_established", user_id: 1 },
      { type: "message_sent", conversation_id: 1, message_id: expect.any(Number) },
    ]);
    saw(pythonVersion("websockets"), `401 without a token; with one: ${JSON.stringify(script.lines[1])}`);
  });
});
