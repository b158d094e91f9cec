// An in-process server that speaks the native protocol, for tests without a network.
//
// How to extend it:
// - A command: one case in `#carryOut`; it answers `ok`, or throws `refusal(code)`. What others shall see goes through
//   `publish`, which leaves out the connection that asked.
// - An event of a conversation: one method in fake-log.ts that takes the next seq and returns the event.
// - A REST path: one entry in fake-rest.ts.
// - A fault: one public field here, looked at in one place. Faults begin harmless.
// Time is the FakeClock's; nothing happens but by `clock.advance`.
import type { ChangeEvent, ReceiptEvent } from "../src/protocol/events.js";
import type { Message, PresenceEntry, User } from "../src/protocol/wire.js";
import { FakeClock } from "./fake-clock.js";
import type { FakeSocket } from "./fake-device.js";
import { FakeConversation } from "./fake-log.js";
import { type Frame, helloOf, type Peer, type Refusal, refusal } from "./fake-peer.js";
import { handleRequest } from "./fake-rest.js";

export class FakeServer {
  readonly clock: FakeClock;
  readonly users = new Map<string, User>();
  readonly conversations = new Map<number, FakeConversation>();
  readonly peers = new Set<Peer>();
  readonly tickets = new Map<string, { user: User; expiresAt: number }>();
  /** Every command that arrived, in order. */
  readonly commands: Frame[] = [];
  /** Who the session cookie belongs to. */
  cookieUser: string | null = null;
  /** Fault: what to do with a command. An error refuses it; `lose` carries it out and cuts instead of answering; `drop` cuts before. */
  intercept: (frame: Frame, user: User) => Refusal | "lose" | "drop" | undefined = () => undefined;
  /** Fault: so many events are left out. */
  loseEvents = 0;
  /** Fault: events come twice. */
  twice = false;
  /** Fault: how long a command takes. */
  workMs = 0;
  /** Fault: REST answers this instead. */
  interceptRest: (method: string, path: string) => Response | undefined = () => undefined;
  replayLimit = 1000;
  heartbeatMs = 25_000;
  #ids = 0;

  constructor(clock = new FakeClock()) {
    this.clock = clock;
    for (const [id, name] of [
      ["1", "Alice"],
      ["2", "Bob"],
      ["3", "Carol"],
    ] as const) {
      this.users.set(id, { id, username: name.toLowerCase(), name, avatar: null });
    }
  }

  user(id: string): User {
    const user = this.users.get(id);
    if (user === undefined) {
      throw new Error(`no user ${id}`);
    }
    return user;
  }

  nextUuid(): number {
    return ++this.#ids;
  }

  token(userId: string, lifeMs = 3_600_000): string {
    return `token:${userId}:${this.clock.now + lifeMs}`;
  }

  /** The user of a token, if it is still good. */
  verify(token: string): { user: User; expiresAt: number } | null {
    const [word, userId, exp] = token.split(":");
    const user = word === "token" ? this.users.get(userId ?? "") : undefined;
    return user === undefined || Number(exp) <= this.clock.now ? null : { user, expiresAt: Number(exp) };
  }

  createConversation(userIds: readonly string[], title: string | null = null): FakeConversation {
    const users = userIds.map((id) => this.user(id));
    const conversation = new FakeConversation(++this.#ids, users, title, this.clock.iso);
    this.conversations.set(conversation.id, conversation);
    for (const peer of this.peers) {
      if (conversation.members.has(peer.user.id)) {
        const view = { ...conversation.view(peer.user.id), last_message: null };
        this.#deliver(peer, {
          type: "conversation.created",
          conversation_id: conversation.id,
          conversation: view,
        });
      }
    }
    return conversation;
  }

  send(
    conversation: FakeConversation,
    user: string,
    content: string,
    clientId: string | null = null,
    origin?: Peer,
  ): { message: Message; duplicate: boolean } {
    const known = clientId === null ? undefined : conversation.byClientId.get(`${user}:${clientId}`);
    if (known !== undefined) {
      if (known.deleted_at === null && known.edited_at === null && known.content !== content) {
        throw refusal("conflict");
      }
      return { message: known, duplicate: true };
    }
    const event = conversation.append({
      id: ++this.#ids,
      sender_id: user,
      sender: this.user(user),
      client_id: clientId,
      type: "text",
      content,
      metadata: null,
      attachments: [],
      reply_to: null,
      created_at: this.clock.iso,
      edited_at: null,
      deleted_at: null,
    });
    this.publish(conversation, event, origin);
    return { message: (event as { message: Message }).message, duplicate: false };
  }

  edit(conversation: FakeConversation, id: number, content: string, origin?: Peer): Message {
    return this.#changed(conversation, id, { content, edited_at: this.clock.iso }, origin);
  }

  delete(conversation: FakeConversation, id: number, origin?: Peer): Message {
    return this.#changed(conversation, id, { content: null, deleted_at: this.clock.iso }, origin);
  }

  mark(conversation: FakeConversation, user: string, seq: number, read: boolean): void {
    const receipt = conversation.mark(user, seq, read);
    if (receipt !== null) {
      this.publish(conversation, receipt);
    }
  }

  /** To everybody in the conversation, and to whom it removes. The connection that asked gets its reply instead. */
  publish(conversation: FakeConversation, event: ChangeEvent | ReceiptEvent, origin?: Peer): void {
    const removed = event.type === "participant.left" ? event.user_id : null;
    for (const peer of this.peers) {
      const sees = conversation.members.has(peer.user.id) || peer.user.id === removed;
      if (sees && peer !== origin) {
        this.#deliver(peer, event);
      }
    }
  }

  signal(userId: string, frame: unknown): void {
    for (const peer of this.peers) {
      if (peer.user.id === userId) {
        this.#deliver(peer, frame);
      }
    }
  }

  closeAll(code: number, reason = ""): void {
    for (const peer of [...this.peers]) {
      peer.close(code, reason);
    }
  }

  findMessage(id: number): FakeConversation | undefined {
    return [...this.conversations.values()].find((conversation) => conversation.messages.has(id));
  }

  conversationsOf(userId: string): readonly FakeConversation[] {
    return [...this.conversations.values()].filter((conversation) => conversation.members.has(userId));
  }

  presence(viewer: string): readonly PresenceEntry[] {
    const online = new Set([...this.peers].map((peer) => peer.user.id));
    online.delete(viewer);
    return [...online].map((user_id) => ({ user_id, status: "online", last_seen: null }));
  }

  hello(peer: Peer): unknown {
    return helloOf(peer, this.clock.iso, this.heartbeatMs);
  }

  /** A socket that asks to be let in. */
  accept(socket: FakeSocket, url: string, protocols: readonly string[]): void {
    const ticket = new URL(url).searchParams.get("ticket");
    const bearer = protocols[1] === "bearer" ? protocols[2] : undefined;
    const found =
      ticket !== null ? this.tickets.get(ticket) : bearer === undefined ? undefined : this.verify(bearer);
    if (ticket !== null) {
      this.tickets.delete(ticket);
    }
    if (found === undefined || found === null) {
      socket.breakOff();
      return;
    }
    const peer: Peer = {
      user: found.user,
      push: (frame) => socket.deliver(frame),
      close: (code, reason) => {
        this.peers.delete(peer);
        socket.closeFromServer(code, reason);
      },
      live: false,
      expiresAt: found.expiresAt,
    };
    this.peers.add(peer);
    socket.onClientGone = () => this.peers.delete(peer);
    socket.onClientFrame = (text) => {
      const frame = JSON.parse(text) as Frame;
      if (this.workMs === 0) {
        this.#command(peer, frame);
      } else {
        this.clock.after(this.workMs, () => this.#command(peer, frame));
      }
    };
    socket.opened();
    socket.deliver(this.hello(peer));
    this.#watchExpiry(peer);
  }

  handle(url: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
    return handleRequest(this, url, init, signal);
  }

  /** What a peer missed, then where everything stands. */
  resume(
    peer: Peer,
    positions: readonly { conversation_id: number; epoch: number; seq: number; receipts: number }[],
  ) {
    const resync: { conversation_id: number; reason: string }[] = [];
    const gone: number[] = [];
    for (const position of positions) {
      const conversation = this.conversations.get(position.conversation_id);
      if (conversation === undefined || !conversation.members.has(peer.user.id)) {
        gone.push(position.conversation_id);
      } else if (conversation.epoch !== position.epoch) {
        resync.push({ conversation_id: conversation.id, reason: "epoch" });
      } else if (position.seq > conversation.lastSeq) {
        resync.push({ conversation_id: conversation.id, reason: "future" });
      } else if (conversation.lastSeq - position.seq > this.replayLimit) {
        resync.push({ conversation_id: conversation.id, reason: "too_long" });
      } else {
        const replay = conversation.replay(position);
        if (replay !== null) {
          peer.push(replay);
        }
      }
    }
    peer.live = true;
    const conversations = this.conversationsOf(peer.user.id).map((conversation) => conversation.position());
    return { conversations, resync, gone, presence: this.presence(peer.user.id) };
  }

  #command(peer: Peer, frame: Frame): void {
    if (!this.peers.has(peer)) {
      return;
    }
    this.commands.push(frame);
    const fault = this.intercept(frame, peer.user);
    if (fault === "drop") {
      peer.close(1006);
      return;
    }
    let reply: object;
    try {
      if (typeof fault === "object") {
        throw fault;
      }
      reply = { ok: this.#carryOut(peer, frame) };
    } catch (thrown) {
      reply = { error: thrown as Refusal };
    }
    if (fault === "lose") {
      peer.close(1006);
    } else {
      peer.push({ type: "reply", id: frame.id, ...reply });
    }
  }

  #carryOut(peer: Peer, frame: Frame): unknown {
    switch (frame.type) {
      case "resume":
        return this.resume(peer, frame.positions as never);
      case "auth": {
        const found = this.verify(frame.token as string);
        if (found?.user !== peer.user) {
          throw refusal("not_authenticated");
        }
        peer.expiresAt = found.expiresAt;
        this.#watchExpiry(peer);
        return { user: peer.user, expires_at: new Date(peer.expiresAt).toISOString() };
      }
      case "message.send": {
        const content = frame.content as string;
        if (content === "") {
          throw refusal("empty");
        }
        return this.send(this.#mine(peer, frame), peer.user.id, content, frame.client_id as string, peer);
      }
      case "message.edit":
        return {
          message: this.edit(
            this.#ofMessage(frame),
            frame.message_id as number,
            frame.content as string,
            peer,
          ),
        };
      case "message.delete":
        return { message: this.delete(this.#ofMessage(frame), frame.message_id as number, peer) };
      case "read":
      case "delivered": {
        const conversation = this.#mine(peer, frame);
        this.mark(conversation, peer.user.id, frame.seq as number, frame.type === "read");
        const { read, delivered } = conversation.members.get(peer.user.id) ?? { read: 0, delivered: 0 };
        return { read_seq: read, delivered_seq: delivered };
      }
      case "typing": {
        const { user } = peer;
        const { conversation_id, active } = frame;
        for (const member of this.#mine(peer, frame).members.keys()) {
          if (member !== user.id) {
            this.signal(member, {
              type: "typing",
              conversation_id,
              user_id: user.id,
              user,
              active,
              ttl_ms: 6000,
            });
          }
        }
        return {};
      }
      case "presence":
        return {};
      case "ping":
        return { server_time: this.clock.iso };
      default:
        throw refusal("unknown_type");
    }
  }

  #mine(peer: Peer, frame: Frame): FakeConversation {
    const conversation = this.conversations.get(frame.conversation_id as number);
    if (conversation === undefined || !conversation.members.has(peer.user.id)) {
      throw refusal("not_found");
    }
    return conversation;
  }

  #ofMessage(frame: Frame): FakeConversation {
    const conversation = this.findMessage(frame.message_id as number);
    if (conversation === undefined) {
      throw refusal("not_found");
    }
    return conversation;
  }

  #changed(conversation: FakeConversation, id: number, change: Partial<Message>, origin?: Peer): Message {
    const event = conversation.change(id, change);
    if (event === null || !("message" in event)) {
      throw refusal("not_found");
    }
    this.publish(conversation, event, origin);
    return event.message;
  }

  #deliver(peer: Peer, frame: unknown): void {
    if (!peer.live) {
      return;
    }
    if (this.loseEvents > 0) {
      this.loseEvents -= 1;
      return;
    }
    peer.push(frame);
    if (this.twice) {
      peer.push(frame);
    }
  }

  #watchExpiry(peer: Peer): void {
    const { expiresAt } = peer;
    this.clock.after(expiresAt - 60_000 - this.clock.now, () => {
      if (this.peers.has(peer) && peer.expiresAt === expiresAt) {
        peer.push({ type: "expiring", expires_at: new Date(expiresAt).toISOString() });
      }
    });
    this.clock.after(expiresAt - this.clock.now, () => {
      if (this.peers.has(peer) && peer.expiresAt === expiresAt) {
        peer.close(4401);
      }
    });
  }
}
