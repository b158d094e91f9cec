// The whole inbox on the SDK's fake server: Bob answers what Alice writes. For looking, not for proof.
import { createClient } from "@parlour/client";
import { FakeDevice, FakeServer } from "@parlour/client/testing";
import type { JSX } from "preact";
import { App } from "../src/app";

const URL_OF_SERVER = "https://chat.test";

export function Live(): JSX.Element {
  // What the fake clock expects of Node.
  Object.assign(globalThis, { setImmediate: (callback: () => void) => setTimeout(callback, 0) });
  const server = new FakeServer();
  const direct = server.createConversation(["1", "2"]);
  server.createConversation(["1", "2", "3"], "Garden party");
  const client = (userId: string) =>
    createClient({
      url: URL_OF_SERVER,
      getToken: async () => server.token(userId),
      platform: new FakeDevice(server).openTab().platform,
    });
  const bob = client("2");
  bob.connect();
  const thread = bob.conversation(direct.id);
  void thread.load();
  bob.on("message.created", (event) => {
    if (event.message.sender_id === "2") return;
    thread.markRead();
    thread.setTyping(true);
    setTimeout(() => void thread.send(`You said: ${event.message.content}`), 1_500);
  });
  const tick = (): void => void server.clock.advance(100).then(() => setTimeout(tick, 100));
  tick();
  Object.assign(globalThis, { server, bob });
  return <App client={client("1")} />;
}
