// A server with people on it: tokens, cookies, conversations, and REST in the words of the tests.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { Cable } from "./cable.js";
import { Host, type HostOptions } from "./host.js";
import { Server, type ServerOptions } from "./server.js";
import { type Claims, mint } from "./token.js";

/** Waits until `check` passes, and fails with its last complaint. */
export function eventually<T>(check: () => T | Promise<T>, ms = 15_000, interval = 10): Promise<T> {
  return vi.waitFor(check, { timeout: ms, interval });
}

export interface Message {
  readonly id: number;
  readonly conversation_id: number;
  readonly seq: number;
  readonly sender_id: string;
  readonly content: string;
  readonly created_at: string;
}

/** Somebody with an account of the host application. */
export class Person {
  readonly token: string;

  constructor(
    readonly server: Server,
    readonly id: string,
    readonly name: string,
    claims: Claims = {},
  ) {
    this.token = mint(id, { username: name, name, ...claims });
  }

  /** The id as the dialects write it. */
  get number(): number {
    return Number(this.id);
  }

  async call(method: string, path: string, body?: object): Promise<Response> {
    return fetch(`${this.server.http}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  }

  async ask<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await this.call(method, path, body);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return (text ? JSON.parse(text) : null) as T;
  }

  async converse(...others: Person[]): Promise<number> {
    const participants = others.map((other) => other.id);
    const kind = participants.length === 1 ? "direct" : "group";
    const title = kind === "group" ? { title: "Everybody" } : {};
    const made = await this.ask<{ id: number }>("POST", "/api/v1/conversations", {
      kind,
      participants,
      ...title,
    });
    return made.id;
  }

  say(conversation: number, content: string): Promise<Message> {
    return this.ask("POST", `/api/v1/conversations/${conversation}/messages`, { content });
  }

  edit(message: number, content: string): Promise<Message> {
    return this.ask("PATCH", `/api/v1/messages/${message}`, { content });
  }

  remove(message: number): Promise<null> {
    return this.ask("DELETE", `/api/v1/messages/${message}`);
  }

  read(conversation: number, message: number): Promise<null> {
    return this.ask("POST", `/api/v1/conversations/${conversation}/read`, { message_id: message });
  }

  async log(conversation: number): Promise<Message[]> {
    const path = `/api/v1/conversations/${conversation}/messages?limit=100`;
    const page = await this.ask<{ results: Message[] }>("GET", path);
    return page.results.toSorted((one, other) => one.seq - other.seq);
  }

  /** A session cookie as a page of the host gets it: from the host's bearer token. */
  async cookie(): Promise<string> {
    const answer = await this.call("POST", "/api/v1/auth/session");
    expect(answer.status).toBe(204);
    const [first = ""] = answer.headers.getSetCookie();
    return first.split(";")[0] ?? "";
  }
}

/** A server, people, and the clients to be ended with it. */
export class Stage {
  readonly #hosts: Host[] = [];
  readonly #cables: Cable[] = [];
  readonly #people = new Map<string, Person>();

  private constructor(readonly server: Server) {}

  static async open(options: ServerOptions = {}): Promise<Stage> {
    return new Stage(await Server.start(options));
  }

  person(id: string, name: string): Person {
    const known = this.#people.get(id);
    if (known) return known;
    const person = new Person(this.server, id, name);
    this.#people.set(id, person);
    return person;
  }

  /** Two people in a direct conversation of theirs. */
  async pair(one = "1", other = "2"): Promise<{ alice: Person; bob: Person; conversation: number }> {
    const alice = this.person(one, `alice-${one}`);
    const bob = this.person(other, `bob-${other}`);
    return { alice, bob, conversation: await alice.converse(bob) };
  }

  /** The world of one client, at the server itself or behind a proxy. */
  host(options: HostOptions & { through?: Cable } = {}): Host {
    const host = new Host(options.through?.http ?? this.server.http, options);
    this.#hosts.push(host);
    return host;
  }

  async cable(): Promise<Cable> {
    const cable = await Cable.to(this.server.port);
    this.#cables.push(cable);
    return cable;
  }

  /** Ends the clients; the server stays. */
  async clear(): Promise<void> {
    for (const host of this.#hosts.splice(0)) host.end();
    for (const cable of this.#cables.splice(0)) await cable.close();
  }

  async close(): Promise<void> {
    await this.clear();
    await this.server.dispose();
  }
}

/** `prefix 1` … `prefix n`. */
export function texts(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix} ${index + 1}`);
}

/** Says what a real client saw, for people who read the run. */
export function saw(client: string, what: string): void {
  console.log(`    saw [${client}] ${what}`);
}

/** The version of an npm package that the kit has installed. */
export function version(name: string): string {
  const manifest = join(import.meta.dirname, "../node_modules", name, "package.json");
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}
