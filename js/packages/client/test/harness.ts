// What most tests begin with: a server, a device and clients on it.
import type { ClientEvents, ClientOptions, ParlourClient } from "../src/api.js";
import { createClient } from "../src/client.js";
import type { ChangeEvent } from "../src/protocol/events.js";
import { FakeDevice, type FakeTab } from "./fake-device.js";
import { FakeServer } from "./fake-server.js";

export const URL_OF_SERVER = "https://chat.test";

export interface Person {
  readonly client: ParlourClient;
  readonly tab: FakeTab;
  /** Every Change that was handed over. */
  readonly changes: ChangeEvent[];
  readonly resyncs: ClientEvents["resync"][];
  readonly errors: string[];
}

export function person(
  server: FakeServer,
  userId: string,
  options: ClientOptions = {},
  device?: FakeDevice,
): Person {
  const tab = (device ?? new FakeDevice(server)).openTab();
  const client = createClient({
    url: URL_OF_SERVER,
    getToken: async () => server.token(userId),
    platform: tab.platform,
    ...options,
  });
  const changes: ChangeEvent[] = [];
  const resyncs: ClientEvents["resync"][] = [];
  const errors: string[] = [];
  client.on("change", (change) => changes.push(change));
  client.on("resync", (resync) => resyncs.push(resync));
  client.on("error", (error) => errors.push(`${error.code}: ${error.message}`));
  return { client, tab, changes, resyncs, errors };
}

/** Two people in one direct conversation, the first one connected. */
export async function scene(options: ClientOptions = {}) {
  const server = new FakeServer();
  const conversation = server.createConversation(["1", "2"]);
  const alice = person(server, "1", options);
  alice.client.connect();
  await server.clock.advance(200);
  return {
    server,
    clock: server.clock,
    conversation,
    alice,
    handle: alice.client.conversation(conversation.id),
  };
}

/** What a timeline shows, in short: the text, or the state of what is not sent. */
export function shown(client: ParlourClient, id: number): string[] {
  const { items } = client.conversation(id).timeline.getSnapshot();
  return items.map((item) => {
    if (item.kind === "pending") {
      return `${item.content} (${item.state.status})`;
    }
    const text = item.message.deleted_at === null ? item.message.content : "deleted";
    return item.tick === null ? String(text) : `${text} [${item.tick}]`;
  });
}

export function status(client: ParlourClient): string {
  return client.connection.getSnapshot().status;
}
