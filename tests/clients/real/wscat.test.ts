// wscat as an inbox guide tells to use it: one frame by hand, and what comes back.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, Stage, saw, version } from "../support/stage.js";

const WSCAT = join(import.meta.dirname, "../node_modules/wscat/bin/wscat");
const VERSION = `wscat ${version("wscat")}`;

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({ demo: true });
});
afterAll(() => stage.close());

function wscat(path: string, frame: object): Promise<string> {
  const address = `${stage.server.http.replace("http", "ws")}${path}`;
  const args = [WSCAT, "-c", address, "-w", "1", "-x", JSON.stringify(frame)];
  return new Promise((done) => {
    execFile(process.execPath, args, (_, out, errors) => done(out + errors));
  });
}

const frame = { type: "chat_message", conversation_id: 1, receiver_id: 2, text: "Hello!" };

test("without a token it is refused with 401", async () => {
  expect(await wscat("/ws/chat/", frame)).toMatch(/401/);
  saw(VERSION, "no token: 401");
});

test("with a token the printed frame is a message of the demonstration", async () => {
  const { alice, bob } = await stage.pair();
  const out = await wscat(`/ws/chat/?token=${alice.token}`, frame);
  expect(out).toMatch(/"type":"connection_established"/);
  expect(out).toMatch(/"type":"message_sent"/);
  await eventually(async () => expect((await bob.log(1)).at(-1)?.content).toBe("Hello!"));
  saw(VERSION, out.split("\n").filter(Boolean).join(" "));
});
