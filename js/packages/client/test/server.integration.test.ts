// The client against the real server. The binary: PARLOUR_BIN, else the debug build of this checkout; skipped loudly without.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { ParlourClient } from "../src/api.js";
import { createClient } from "../src/client.js";
import { browserPlatform } from "../src/platform-browser.js";
import type { ChangeEvent } from "../src/protocol/events.js";

const BINARY =
  process.env.PARLOUR_BIN ?? fileURLToPath(new URL("../../../../target/debug/parlour", import.meta.url));
const there = existsSync(BINARY);
if (!there) {
  console.warn(`SKIPPED: no server binary at ${BINARY}; build it, or set PARLOUR_BIN`);
}

let folder: string;
let port: number;
let server: ChildProcess;
const clients: ParlourClient[] = [];

async function start(): Promise<void> {
  server = spawn(BINARY, ["serve", "--demo"], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      PARLOUR_LISTEN: `127.0.0.1:${port}`,
      DATABASE_URL: `sqlite://${folder}/parlour.db`,
      PARLOUR_JWT_SECRET: "a secret for tests that is long enough",
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  server.stderr?.on("data", (chunk) => {
    said += String(chunk);
  });
  await eventually(async () => {
    if (server.exitCode !== null) {
      throw new Error(`the server has ended: ${said}`);
    }
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  }, 20_000);
}

async function stop(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill(signal);
  await ended;
}

async function eventually(check: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const end = Date.now() + ms;
  for (;;) {
    if (await Promise.resolve(check()).catch((thrown: unknown) => rethrow(thrown, end))) {
      return;
    }
    if (Date.now() > end) {
      throw new Error(`not in time: ${check.toString()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function rethrow(thrown: unknown, end: number): boolean {
  if (Date.now() > end || String(thrown).includes("has ended")) {
    throw thrown;
  }
  return false;
}

interface Signed {
  readonly client: ParlourClient;
  readonly changes: ChangeEvent[];
  readonly errors: string[];
}

type Only = "sse" | "polling";

/** A network that lets only this through. */
function behind(only: Only) {
  const base = browserPlatform();
  const fetch: typeof base.fetch = (url, init) =>
    only === "polling" && new URL(url).pathname === "/api/v1/events"
      ? Promise.resolve(new Response("", { status: 502 }))
      : base.fetch(url, init);
  return { ...base, random: () => 0, openSocket: () => null, fetch };
}

async function signIn(username: string, only?: Only): Promise<Signed> {
  const platform = only === undefined ? { ...browserPlatform(), random: () => 0.1 } : behind(only);
  const client = createClient({ url: `http://127.0.0.1:${port}`, platform, storage: "memory" });
  clients.push(client);
  const changes: ChangeEvent[] = [];
  const errors: string[] = [];
  client.on("change", (change) => changes.push(change));
  client.on("error", (error) => errors.push(`${error.code}: ${error.message}`));
  await client.login({ username, password: "demo" });
  await eventually(() => client.connection.getSnapshot().status === "open");
  return { client, changes, errors };
}

function lastTexts(client: ParlourClient, id: number, count: number): unknown[] {
  const { items } = client.conversation(id).timeline.getSnapshot();
  return items
    .slice(-count)
    .map((item) => (item.kind === "message" ? item.message.content : item.state.status));
}

describe.skipIf(!there)("the client and the server", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "parlour-client-"));
    port = await new Promise<number>((resolve) => {
      const probe = createServer().listen(0, "127.0.0.1", () => {
        const address = probe.address();
        probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
      });
    });
    await start();
  }, 30_000);

  afterEach(() => {
    for (const client of clients.splice(0)) {
      client.disconnect();
    }
  });

  afterAll(async () => {
    if (server?.exitCode === null) {
      await stop("SIGKILL");
    }
    rmSync(folder, { recursive: true, force: true });
  }, 30_000);

  test("two people talk: messages, ticks, typing, presence, edits, deletions", async () => {
    const [alice, bob] = await Promise.all([signIn("alice"), signIn("bob")]);
    await Promise.all([alice, bob].map(({ client }) => client.conversations.load()));
    const conversation = await alice.client.conversations.create({ kind: "direct", participants: ["2"] });
    const mine = alice.client.conversation(conversation.id);
    const his = bob.client.conversation(conversation.id);
    await Promise.all([mine.load(), his.load()]);
    expect(alice.client.presence.getSnapshot().get("2")?.status).toBe("online");
    mine.setTyping(true);
    await eventually(() => his.typing.getSnapshot().length === 1);
    await mine.send("Hello from the SDK");
    await eventually(() => lastTexts(bob.client, conversation.id, 1)[0] === "Hello from the SDK");
    await eventually(() => his.typing.getSnapshot().length === 0);
    const tick = () => {
      const item = mine.timeline.getSnapshot().items.at(-1);
      return item?.kind === "message" ? item.tick : item?.state.status;
    };
    await eventually(() => tick() === "delivered");
    expect(his.store.getSnapshot()?.unread_count).toBeGreaterThan(0);
    his.markRead();
    expect(his.store.getSnapshot()?.unread_count).toBe(0);
    await eventually(() => tick() === "read");
    const item = mine.timeline.getSnapshot().items.at(-1);
    const id = item?.kind === "message" ? item.message.id : 0;
    await mine.edit(id, "Hello again");
    await eventually(() => lastTexts(bob.client, conversation.id, 1)[0] === "Hello again");
    await mine.delete(id);
    await eventually(() => lastTexts(bob.client, conversation.id, 1)[0] === null);
    expect([...alice.errors, ...bob.errors]).toEqual([]);
  });

  test("the connection is a WebSocket", async () => {
    const { client } = await signIn("alice");
    expect(client.connection.getSnapshot()).toEqual({ status: "open", transport: "websocket" });
  });

  test("everything missed is replayed after the server was killed; what was sent meanwhile arrives once (G5, G26)", async () => {
    const [alice, bob] = await Promise.all([signIn("alice"), signIn("bob")]);
    const conversation = await alice.client.conversations.create({
      kind: "group",
      participants: ["2"],
      title: "Kill",
    });
    const mine = alice.client.conversation(conversation.id);
    await Promise.all([mine.load(), bob.client.conversation(conversation.id).load()]);
    await Promise.all([1, 2, 3].map((n) => mine.send(`before ${n}`)));
    await stop("SIGKILL");
    await eventually(() => alice.client.connection.getSnapshot().status !== "open");
    await Promise.all([1, 2, 3].map((n) => mine.send(`while away ${n}`)));
    await start();
    const all = [1, 2, 3].map((n) => `before ${n}`).concat([1, 2, 3].map((n) => `while away ${n}`));
    await eventually(() => lastTexts(bob.client, conversation.id, 6).join() === all.join(), 40_000);
    await eventually(() => lastTexts(alice.client, conversation.id, 6).join() === all.join());
    for (const { changes } of [alice, bob]) {
      const seqs = changes.filter((c) => c.conversation_id === conversation.id).map((c) => c.seq);
      expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    }
  });

  test.each(["sse", "polling"] as const)(
    "without WebSockets the client falls back to %s, with commands over REST",
    async (only) => {
      const [alice, bob] = await Promise.all([signIn("alice", only), signIn("bob")]);
      expect(alice.client.connection.getSnapshot()).toEqual({ status: "open", transport: only });
      const conversation = await bob.client.conversations.create({
        kind: "group",
        participants: ["1"],
        title: "SSE",
      });
      const mine = alice.client.conversation(conversation.id);
      const his = bob.client.conversation(conversation.id);
      await Promise.all([mine.load(), his.load()]);
      await his.send("over the socket");
      await eventually(() => lastTexts(alice.client, conversation.id, 1)[0] === "over the socket");
      await mine.send("over REST");
      await eventually(
        () => lastTexts(bob.client, conversation.id, 2).join() === "over the socket,over REST",
      );
      await eventually(
        () => lastTexts(alice.client, conversation.id, 2).join() === "over the socket,over REST",
      );
      mine.markRead();
      await eventually(
        () => his.store.getSnapshot()?.participants.find((p) => p.user_id === "1")?.read_seq !== 0,
      );
    },
  );

  test("pages, people, blocks and members", async () => {
    const { client } = await signIn("alice");
    const found = await client.users.search("bo");
    expect(found.map((user) => user.username)).toContain("bob");
    expect((await client.users.get("2")).name).toBeTruthy();
    const group = await client.conversations.create({ kind: "group", participants: ["2"], title: "Pages" });
    const handle = client.conversation(group.id);
    await handle.load();
    for (let n = 1; n <= 60; n += 1) {
      await handle.send(`n${n}`);
    }
    await eventually(() => lastTexts(client, group.id, 1)[0] === "n60", 40_000);
    await handle.loadAround("latest");
    expect(handle.timeline.getSnapshot().items).toHaveLength(50);
    expect(handle.timeline.getSnapshot().hasOlder).toBe(true);
    await handle.loadOlder();
    expect(handle.timeline.getSnapshot().items).toHaveLength(60);
    expect(handle.timeline.getSnapshot().hasOlder).toBe(false);
    const first = handle.timeline.getSnapshot().items[0];
    await handle.loadAround(first?.kind === "message" ? first.message.seq : 0);
    expect(handle.timeline.getSnapshot().hasNewer).toBe(true);
    await handle.loadNewer();
    expect(handle.timeline.getSnapshot().hasNewer).toBe(false);
    expect((await client.conversations.search("Pages")).map((c) => c.id)).toContain(group.id);
    await client.conversations.update(group.id, { title: "Leaves" });
    await eventually(() => handle.store.getSnapshot()?.title === "Leaves");
    await client.conversations.addParticipant(group.id, "3");
    await eventually(() => handle.store.getSnapshot()?.participant_count === 3);
    await client.conversations.removeParticipant(group.id, "3");
    await eventually(() => handle.store.getSnapshot()?.participant_count === 2);
    await client.blocks.add("3");
    expect((await client.blocks.list()).map((user) => user.id)).toEqual(["3"]);
    await client.blocks.remove("3");
    await client.conversations.leave(group.id);
    await eventually(() => handle.store.getSnapshot() === null);
    await expect(client.conversations.get(group.id)).rejects.toMatchObject({ code: "not_found" });
  });

  test("the server restarts politely, and the client comes back", async () => {
    const { client } = await signIn("alice");
    await stop("SIGTERM");
    await eventually(() => client.connection.getSnapshot().status !== "open");
    await start();
    await eventually(() => client.connection.getSnapshot().status === "open", 40_000);
  });
});
