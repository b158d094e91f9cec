// The fake server's conversations: one log each, with the replay rules of the protocol. Keeps everything, forgets nothing.
import type { ChangeEvent, ReceiptEvent, Replay } from "../src/protocol/events.js";
import type { Conversation, Message, Participant, Position, User } from "../src/protocol/wire.js";

interface Member {
  readonly user: User;
  role: Participant["role"];
  joined: number;
  delivered: number;
  read: number;
  /** The version of the last move of the watermarks. */
  version: number;
}

type OtherChange = Exclude<ChangeEvent, { message: Message }>;

export class FakeConversation {
  readonly id: number;
  readonly kind: Conversation["kind"];
  epoch = 1;
  lastSeq = 0;
  receipts = 0;
  title: string | null;
  state: Conversation["state"] = "open";
  readonly members = new Map<string, Member>();
  readonly messages = new Map<number, Message>();
  readonly others: OtherChange[] = [];
  readonly byClientId = new Map<string, Message>();
  readonly #createdAt: string;

  constructor(id: number, users: readonly User[], title: string | null, createdAt: string) {
    this.id = id;
    this.kind = title === null ? "direct" : "group";
    this.title = title;
    this.#createdAt = createdAt;
    for (const user of users) {
      this.members.set(user.id, { user, role: "member", joined: 0, delivered: 0, read: 0, version: 0 });
    }
  }

  position(): Position {
    return { conversation_id: this.id, epoch: this.epoch, seq: this.lastSeq, receipts: this.receipts };
  }

  append(message: Omit<Message, "seq" | "change_seq" | "conversation_id">): ChangeEvent {
    const seq = ++this.lastSeq;
    const stored = { ...message, conversation_id: this.id, seq, change_seq: seq };
    this.messages.set(stored.id, stored);
    if (stored.client_id !== null) {
      this.byClientId.set(`${stored.sender_id}:${stored.client_id}`, stored);
    }
    const member = this.members.get(stored.sender_id);
    if (member !== undefined) {
      member.read = seq;
      member.delivered = seq;
    }
    return { type: "message.created", conversation_id: this.id, seq, message: stored };
  }

  change(id: number, change: Partial<Message>): ChangeEvent | null {
    const message = this.messages.get(id);
    if (message === undefined || message.deleted_at !== null) {
      return null;
    }
    const seq = ++this.lastSeq;
    const next = { ...message, ...change, change_seq: seq };
    this.messages.set(id, next);
    if (next.client_id !== null) {
      this.byClientId.set(`${next.sender_id}:${next.client_id}`, next);
    }
    const type = next.deleted_at === null ? "message.edited" : "message.deleted";
    return { type, conversation_id: this.id, seq, message: next };
  }

  other(change: (seq: number) => OtherChange): ChangeEvent {
    const event = change(++this.lastSeq);
    this.others.push(event);
    return event;
  }

  join(user: User, by: string): ChangeEvent {
    return this.other((seq) => {
      this.members.set(user.id, { user, role: "member", joined: seq, delivered: seq, read: seq, version: 0 });
      const participant = this.#participant(user.id) as Participant;
      return { type: "participant.joined", conversation_id: this.id, seq, participant, by };
    });
  }

  leave(userId: string, by: string): ChangeEvent {
    return this.other((seq) => {
      this.members.delete(userId);
      return { type: "participant.left", conversation_id: this.id, seq, user_id: userId, by };
    });
  }

  mark(userId: string, upTo: number, read: boolean): ReceiptEvent | null {
    const member = this.members.get(userId);
    const seq = Math.min(upTo, this.lastSeq);
    if (member === undefined || seq <= (read ? member.read : member.delivered)) {
      return null;
    }
    member.delivered = Math.max(member.delivered, seq);
    member.read = read ? seq : member.read;
    member.version = ++this.receipts;
    return this.#receipt(userId, member);
  }

  /** `null`: nothing was missed. */
  replay(from: Position): Replay | null {
    const after = from.seq;
    const changes: ChangeEvent[] = this.others.filter((change) => change.seq > after);
    for (const message of this.messages.values()) {
      if (message.change_seq > after) {
        const type =
          message.deleted_at !== null
            ? "message.deleted"
            : message.seq > after
              ? "message.created"
              : "message.edited";
        changes.push({ type, conversation_id: this.id, seq: message.change_seq, message });
      }
    }
    changes.sort((a, b) => a.seq - b.seq);
    const receipts = [...this.members]
      .filter(([, member]) => member.version > from.receipts)
      .map(([userId, member]) => this.#receipt(userId, member));
    if (after >= this.lastSeq && receipts.length === 0) {
      return null;
    }
    return {
      type: "replay",
      conversation_id: this.id,
      after,
      up_to: this.lastSeq,
      events: [...changes, ...receipts],
    };
  }

  /** As this participant sees it. */
  view(userId: string): Conversation {
    const me = this.members.get(userId);
    const inOrder = this.inOrder();
    const last = inOrder.at(-1) ?? null;
    const unread = inOrder.filter(
      (message) =>
        message.seq > (me?.read ?? 0) && message.sender_id !== userId && message.deleted_at === null,
    );
    return {
      id: this.id,
      kind: this.kind,
      state: this.state,
      title: this.title,
      subject: null,
      external_id: null,
      metadata: null,
      epoch: this.epoch,
      last_seq: this.lastSeq,
      receipts: this.receipts,
      created_at: this.#createdAt,
      active_at: last?.created_at ?? this.#createdAt,
      participants: [...this.members.keys()].map((id) => this.#participant(id) as Participant),
      participant_count: this.members.size,
      last_message: last,
      unread_count: unread.length,
      read_seq: me?.read ?? 0,
      delivered_seq: me?.delivered ?? 0,
      joined_seq: me?.joined ?? 0,
    };
  }

  inOrder(): readonly Message[] {
    return [...this.messages.values()].sort((a, b) => a.seq - b.seq);
  }

  #participant(userId: string): Participant | undefined {
    const member = this.members.get(userId);
    return member === undefined
      ? undefined
      : {
          user_id: userId,
          user: member.user,
          role: member.role,
          joined_seq: member.joined,
          delivered_seq: member.delivered,
          read_seq: member.read,
        };
  }

  #receipt(userId: string, { delivered, read, version }: Member): ReceiptEvent {
    return {
      type: "receipt",
      conversation_id: this.id,
      user_id: userId,
      delivered_seq: delivered,
      read_seq: read,
      version,
    };
  }
}
