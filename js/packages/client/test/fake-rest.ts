// The fake server's REST and its streams over HTTP.
import type { Message, Position } from "../src/protocol/wire.js";
import { type Peer, type Refusal, refusal } from "./fake-peer.js";
import type { FakeServer } from "./fake-server.js";

interface Call {
  readonly server: FakeServer;
  readonly userId: string;
  readonly query: URLSearchParams;
  readonly body: Record<string, unknown>;
  readonly id: number;
  readonly signal: AbortSignal;
  readonly expiresAt: number;
}

type Handler = (call: Call) => unknown | Promise<unknown>;

const ROUTES: readonly (readonly [string, RegExp, Handler])[] = [
  ["POST", /^\/auth\/ticket$/, ticket],
  ["POST", /^\/auth\/logout$/, logout],
  ["GET", /^\/me$/, ({ server, userId }) => server.user(userId)],
  ["GET", /^\/users$/, ({ server }) => ({ results: [...server.users.values()] })],
  ["GET", /^\/conversations$/, list],
  ["POST", /^\/conversations$/, create],
  ["GET", /^\/conversations\/(\d+)$/, (call) => mine(call).view(call.userId)],
  ["GET", /^\/conversations\/(\d+)\/messages$/, messages],
  ["POST", /^\/conversations\/(\d+)\/messages$/, send],
  ["POST", /^\/conversations\/(\d+)\/(?:read|delivered)$/, () => undefined],
  ["POST", /^\/conversations\/(\d+)\/typing$/, () => undefined],
  ["DELETE", /^\/conversations\/(\d+)\/participants\/\w+$/, leave],
  ["PATCH", /^\/messages\/(\d+)$/, edit],
  ["GET", /^\/messages\/(\d+)$/, (call) => ofMessage(call).messages.get(call.id)],
  ["DELETE", /^\/messages\/(\d+)$/, remove],
  ["GET", /^\/events$/, stream],
  ["GET", /^\/events\/poll$/, poll],
];

export async function handleRequest(
  server: FakeServer,
  url: string,
  init: RequestInit,
  signal: AbortSignal,
): Promise<Response> {
  const { pathname, searchParams } = new URL(url);
  const method = init.method ?? "GET";
  const path = pathname.replace(/^\/api\/v1/, "");
  const faulty = server.interceptRest(method, path);
  if (faulty !== undefined) {
    return faulty;
  }
  const body = typeof init.body === "string" ? (JSON.parse(init.body) as Record<string, unknown>) : {};
  if (path === "/auth/login") {
    return login(server, body);
  }
  const who = identify(server, init);
  if (who === null) {
    return problem(refusal("not_authenticated"), 401);
  }
  for (const [verb, pattern, handler] of ROUTES) {
    const match = pattern.exec(path);
    if (verb === method && match !== null) {
      const call = { server, query: searchParams, body, id: Number(match[1] ?? 0), signal, ...who };
      try {
        const answer = await handler(call);
        if (answer instanceof Response) {
          return answer;
        }
        return answer === undefined ? new Response(null, { status: 204 }) : Response.json(answer);
      } catch (thrown) {
        return problem(thrown as Refusal, 400);
      }
    }
  }
  return problem(refusal("not_found"), 404);
}

function identify(server: FakeServer, init: RequestInit): { userId: string; expiresAt: number } | null {
  const header = (init.headers as Record<string, string>).authorization;
  if (header !== undefined) {
    const found = server.verify(header.replace(/^Bearer /, ""));
    return found === null ? null : { userId: found.user.id, expiresAt: found.expiresAt };
  }
  const { cookieUser } = server;
  return cookieUser === null ? null : { userId: cookieUser, expiresAt: server.clock.now + 86_400_000 };
}

function problem(error: Refusal, status: number): Response {
  return Response.json({ title: error.code, status, ...error }, { status });
}

function login(server: FakeServer, body: Record<string, unknown>): Response {
  const user = [...server.users.values()].find(({ username }) => username === body.username);
  if (user === undefined || body.password !== "demo") {
    return problem(refusal("not_authenticated"), 401);
  }
  server.cookieUser = user.id;
  return Response.json({ access: server.token(user.id, 900_000), refresh: "r", expires_in: 900, user });
}

function logout({ server }: Call): void {
  server.cookieUser = null;
}

function ticket({ server, userId, expiresAt }: Call): unknown {
  const name = `ticket-${server.nextUuid()}`;
  server.tickets.set(name, { user: server.user(userId), expiresAt });
  return { ticket: name, expires_in: 30 };
}

function mine({ server, userId, id }: Call) {
  const conversation = server.conversations.get(id);
  if (conversation === undefined || !conversation.members.has(userId)) {
    throw refusal("not_found");
  }
  return conversation;
}

function list({ server, userId, query }: Call): unknown {
  const limit = Number(query.get("limit") ?? 50);
  const from = Number(query.get("cursor") ?? 0);
  const all = server
    .conversationsOf(userId)
    .map((conversation) => conversation.view(userId))
    .sort((a, b) => (a.active_at === b.active_at ? b.id - a.id : a.active_at < b.active_at ? 1 : -1));
  const next = from + limit < all.length ? String(from + limit) : null;
  return { results: all.slice(from, from + limit), next };
}

function create({ server, userId, body }: Call): unknown {
  const users = [userId, ...(body.participants as string[])];
  const title = body.kind === "group" ? String(body.title ?? "") : null;
  return server.createConversation(users, title).view(userId);
}

function messages(call: Call): unknown {
  const all = mine(call).inOrder();
  const limit = Number(call.query.get("limit") ?? 50);
  const before = call.query.get("before");
  const after = call.query.get("after");
  if (after !== null) {
    const rest = all.filter((message) => message.seq > Number(after));
    return { results: rest.slice(0, limit), next: rest.length > limit ? "more" : null, previous: null };
  }
  const rest = before === null ? all : all.filter((message) => message.seq < Number(before));
  return { results: rest.slice(-limit), next: rest.length > limit ? "more" : null, previous: null };
}

function send(call: Call): unknown {
  const { server, userId, body } = call;
  const clientId = (body.client_id as string | undefined) ?? null;
  return server.send(mine(call), userId, body.content as string, clientId).message;
}

function leave(call: Call): void {
  const { server, userId } = call;
  const conversation = mine(call);
  server.publish(conversation, conversation.leave(userId, userId));
}

function ofMessage({ server, id }: Call) {
  const conversation = server.findMessage(id);
  if (conversation === undefined) {
    throw refusal("not_found");
  }
  return conversation;
}

function edit(call: Call): Message {
  return call.server.edit(ofMessage(call), call.id, call.body.content as string);
}

function remove(call: Call): void {
  call.server.delete(ofMessage(call), call.id);
}

function positionsOf(server: FakeServer, userId: string): Position[] {
  return server.conversationsOf(userId).map((conversation) => conversation.position());
}

/** The cursor of the fake is plain text: a list of positions. */
function cursorOf(server: FakeServer, userId: string): string {
  return JSON.stringify(positionsOf(server, userId));
}

function stream({ server, userId, query, signal, expiresAt }: Call): Response {
  const text = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const peer: Peer = {
        user: server.user(userId),
        push: (frame) => {
          const lines = `id: ${cursorOf(server, userId)}\ndata: ${JSON.stringify(frame)}\n\n`;
          controller.enqueue(text.encode(lines));
        },
        close: () => {
          server.peers.delete(peer);
          controller.close();
        },
        live: false,
        expiresAt,
      };
      server.peers.add(peer);
      signal.addEventListener("abort", () => {
        if (server.peers.delete(peer)) {
          controller.error(new TypeError("broken off"));
        }
      });
      controller.enqueue(text.encode(`: hello\n\ndata: ${JSON.stringify(server.hello(peer))}\n\n`));
      const cursor = query.get("cursor");
      const from = cursor === null ? positionsOf(server, userId) : (JSON.parse(cursor) as Position[]);
      peer.push({ type: "ready", ...server.resume(peer, from) });
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

async function poll({ server, userId, query, signal, expiresAt }: Call): Promise<unknown> {
  const events: unknown[] = [];
  let wake: () => void = () => undefined;
  const push = (frame: unknown): void => {
    events.push(frame);
    wake();
  };
  const peer: Peer = { user: server.user(userId), push, close: () => wake(), live: false, expiresAt };
  const cursor = query.get("cursor");
  if (cursor === null) {
    events.push(server.hello(peer));
    events.push({ type: "ready", ...server.resume(peer, positionsOf(server, userId)) });
    return { events, cursor: cursorOf(server, userId) };
  }
  server.resume(peer, JSON.parse(cursor) as Position[]);
  if (events.length === 0) {
    server.peers.add(peer);
    await new Promise<void>((resolve) => {
      wake = resolve;
      server.clock.after(Number(query.get("wait") ?? 25) * 1000, resolve);
      signal.addEventListener("abort", () => resolve());
    });
    server.peers.delete(peer);
  }
  return { events, cursor: cursorOf(server, userId) };
}
