// The reducers: against the server's own view after any history, and by example.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FakeConversation } from "../../test/fake-log.js";
import type { ChangeEvent, ReceiptEvent } from "../protocol/events.js";
import type { Conversation, Message, Participant, User } from "../protocol/wire.js";
import { applyChange, applyReceipt, byActivity, mergeConversation, readUpTo } from "./conversations.js";
import { applyPresence, fillPresence, replacePresence } from "./presence.js";
import { tickOf } from "./receipts.js";
import { derive, Store } from "./store.js";
import {
  addOlder,
  beginLoading,
  countUnread,
  EMPTY_TIMELINE,
  showLatest,
  type TimelineState,
  upsert,
} from "./timeline.js";
import { applyTyping, nextSweep, stopTyping, sweepTyping } from "./typing.js";

const users: User[] = ["1", "2", "3"].map((id) => ({ id, username: id, name: id, avatar: null }));

type Op =
  | {
      readonly op: "send" | "edit" | "delete" | "read" | "delivered";
      readonly by: number;
      readonly at: number;
    }
  | { readonly op: "title" | "away" | "back" | "page" };

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constantFrom(
        "send" as const,
        "send" as const,
        "edit" as const,
        "delete" as const,
        "read" as const,
        "delivered" as const,
      ),
      by: fc.nat(2),
      at: fc.nat(20),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constantFrom("title" as const, "away" as const, "back" as const, "page" as const),
    }),
  },
);

/** A client that folds what it is told, live or by replay; `me` is user 1. */
class Folding {
  conversation: Conversation;
  timeline: TimelineState = EMPTY_TIMELINE;
  readonly #server: FakeConversation;
  #away = false;

  constructor(server: FakeConversation) {
    this.#server = server;
    this.conversation = server.view("1");
  }

  tell(event: ChangeEvent | ReceiptEvent): void {
    if (!this.#away) {
      this.#batch([event], "seq" in event ? event.seq : null);
    }
  }

  leave(): void {
    this.#away = true;
  }

  comeBack(): void {
    this.#away = false;
    const { id, epoch, last_seq, receipts } = this.conversation;
    const replay = this.#server.replay({ conversation_id: id, epoch, seq: last_seq, receipts });
    if (replay !== null) {
      this.#batch(replay.events as (ChangeEvent | ReceiptEvent)[], replay.up_to);
    }
  }

  page(): void {
    const messages = this.#server.inOrder();
    if (this.timeline.status === "idle") {
      this.timeline = beginLoading(this.timeline, "latest");
      const newest = messages.slice(-5);
      this.timeline = showLatest(this.timeline, { messages: newest, hasMore: messages.length > 5 });
    } else if (this.timeline.hasOlder) {
      const first = this.timeline.messages[0]?.seq ?? 0;
      const older = messages.filter((message) => message.seq < first);
      this.timeline = addOlder(this.timeline, { messages: older.slice(-5), hasMore: older.length > 5 });
    }
  }

  #batch(events: readonly (ChangeEvent | ReceiptEvent)[], upTo: number | null): void {
    const base = this.conversation.last_seq;
    let recount = false;
    for (const event of events) {
      const step =
        event.type === "receipt"
          ? applyReceipt(this.conversation, event, "1")
          : applyChange(this.conversation, event, "1", base);
      this.conversation = step.conversation;
      recount ||= step.recount;
      if ("message" in event) {
        this.timeline = upsert(this.timeline, event.message, event.message.seq > base);
      }
    }
    if (upTo !== null && upTo > this.conversation.last_seq) {
      this.conversation = { ...this.conversation, last_seq: upTo };
    }
    if (recount) {
      // What the engine does: ask the server, once everything of the batch is folded.
      this.conversation = { ...this.conversation, unread_count: this.#server.view("1").unread_count };
    }
  }
}

test("PR5: after any history, live or replayed, counts, receipts, last message and timeline are the server's", () => {
  fc.assert(
    fc.property(fc.array(op, { maxLength: 60 }), (ops) => {
      const server = new FakeConversation(1, users, "Group", "2026-01-01T00:00:00.000Z");
      const client = new Folding(server);
      let id = 0;
      for (const action of ops) {
        const events: (ChangeEvent | ReceiptEvent | null)[] = [];
        const target =
          "at" in action ? server.inOrder().at(action.at % Math.max(1, server.messages.size)) : undefined;
        switch (action.op) {
          case "send":
            id += 1;
            events.push(server.append(message(id, String(action.by + 1))));
            break;
          case "edit":
            events.push(
              target === undefined ? null : server.change(target.id, { content: "edited", edited_at: "x" }),
            );
            break;
          case "delete":
            events.push(
              target === undefined ? null : server.change(target.id, { content: null, deleted_at: "x" }),
            );
            break;
          case "read":
          case "delivered":
            events.push(server.mark(String(action.by + 1), action.at, action.op === "read"));
            break;
          case "title":
            events.push(
              server.other((seq) => ({
                type: "conversation.changed",
                conversation_id: 1,
                seq,
                title: `t${seq}`,
                by: "2",
              })),
            );
            break;
          case "away":
            client.leave();
            break;
          case "back":
            client.comeBack();
            break;
          case "page":
            client.page();
            break;
        }
        for (const event of events) {
          if (event !== null) {
            client.tell(event);
          }
        }
      }
      client.comeBack();
      const expected = server.view("1");
      const { unread_count, last_seq, read_seq, delivered_seq, last_message, participants, receipts } =
        client.conversation;
      expect({
        unread_count,
        last_seq,
        read_seq,
        delivered_seq,
        last_message,
        participants,
        receipts,
      }).toEqual({
        unread_count: expected.unread_count,
        last_seq: expected.last_seq,
        read_seq: expected.read_seq,
        delivered_seq: expected.delivered_seq,
        last_message: expected.last_message,
        participants: expected.participants,
        receipts: expected.receipts,
      });
      if (client.timeline.status === "ready") {
        const first = client.timeline.messages[0]?.seq ?? 0;
        const window = server.inOrder().filter((m) => m.seq >= first);
        expect(client.timeline.messages).toEqual(window);
        const unread = countUnread(client.timeline, read_seq, "1");
        expect(unread === null || unread === unread_count).toBe(true);
      }
    }),
    { numRuns: 400 },
  );
});

function message(id: number, sender: string): Omit<Message, "seq" | "change_seq" | "conversation_id"> {
  return {
    id,
    sender_id: sender,
    sender: users[Number(sender) - 1] as User,
    client_id: null,
    type: "text",
    content: `m${id}`,
    reply_to: null,
    created_at: new Date(Date.parse("2026-01-01") + id * 1000).toISOString(),
    edited_at: null,
    deleted_at: null,
  };
}

describe("timelines", () => {
  const stored = (seq: number, change_seq = seq): Message =>
    ({ ...message(seq, "2"), seq, change_seq, conversation_id: 1, content: `v${change_seq}` }) as Message;

  test("a page that is older than an edit does not undo it", () => {
    let state = showLatest(beginLoading(EMPTY_TIMELINE, "latest"), {
      messages: [stored(5), stored(6)],
      hasMore: true,
    });
    state = beginLoading(state, "older");
    state = upsert(state, stored(3, 9), false);
    state = addOlder(state, { messages: [stored(3), stored(4)], hasMore: false });
    expect(state.messages.map((m) => m.content)).toEqual(["v9", "v4", "v5", "v6"]);
    expect(state.late).toEqual([]);
  });

  test("what arrives while the newest page is on its way follows on it", () => {
    let state = beginLoading(EMPTY_TIMELINE, "latest");
    state = upsert(state, stored(7), true);
    state = upsert(state, stored(2, 8), false);
    state = showLatest(state, { messages: [stored(5), stored(6)], hasMore: true });
    expect(state.messages.map((m) => m.seq)).toEqual([5, 6, 7]);
  });

  test("a window in the middle takes nothing from the end", () => {
    const state: TimelineState = {
      ...EMPTY_TIMELINE,
      status: "ready",
      messages: [stored(5)],
      hasOlder: true,
      hasNewer: true,
    };
    expect(upsert(state, stored(9), true).messages.map((m) => m.seq)).toEqual([5]);
    expect(countUnread(state, 0, "1")).toBeNull();
  });
});

describe("conversations", () => {
  const base = new FakeConversation(1, users, "Group", "2026-01-01T00:00:00.000Z").view("1");

  test("an older answer of REST undoes nothing", () => {
    const known = { ...base, last_seq: 9, read_seq: 4, title: "new" };
    const merged = mergeConversation(known, { ...base, last_seq: 8, read_seq: 6, title: "old" });
    expect([merged.title, merged.read_seq, merged.last_seq]).toEqual(["new", 6, 9]);
    expect(mergeConversation(known, { ...base, epoch: 2 }).last_seq).toBe(0);
  });

  test("reading a part asks for a recount, reading everything does not", () => {
    const unread = { ...base, unread_count: 3, last_message: { ...message(9, "2"), seq: 9 } as Message };
    expect(readUpTo(unread, 5, 5)).toMatchObject({ recount: true });
    expect(readUpTo(unread, 9, 9)).toMatchObject({ recount: false, conversation: { unread_count: 0 } });
  });

  test("are listed by activity", () => {
    const at = (id: number, active_at: string) => ({ ...base, id, active_at });
    const list = [at(1, "2026-01-01"), at(2, "2026-01-03"), at(3, "2026-01-01")].sort(byActivity);
    expect(list.map((c) => c.id)).toEqual([2, 3, 1]);
  });

  test("members come and go", () => {
    const who = {
      user_id: "4",
      user: { ...users[0], id: "4" },
      role: "member",
      joined_seq: 1,
      delivered_seq: 1,
      read_seq: 1,
    };
    const joined = {
      type: "participant.joined",
      conversation_id: 1,
      seq: 1,
      participant: who as Participant,
      by: "1",
    } as const;
    const after = applyChange(base, joined, "1", 0).conversation;
    expect(after.participant_count).toBe(4);
    const role = {
      type: "participant.role",
      conversation_id: 1,
      seq: 2,
      user_id: "4",
      role: "admin",
      by: "1",
    } as const;
    expect(applyChange(after, role, "1", 1).conversation.participants[3]?.role).toBe("admin");
    const left = { type: "participant.left", conversation_id: 1, seq: 2, user_id: "4", by: "1" } as const;
    expect(applyChange(after, left, "1", 1).conversation.participant_count).toBe(3);
    expect(applyChange(after, { ...joined, seq: 1 }, "1", 1).conversation).toBe(after);
  });
});

describe("signals", () => {
  test("typing ends with its time, a message, or its end; one's own is not shown", () => {
    const event = (user: number, active = true) =>
      ({
        type: "typing",
        conversation_id: 1,
        user_id: `${user}`,
        user: users[user - 1] as User,
        active,
        ttl_ms: 6000,
      }) as const;
    const both = applyTyping(applyTyping(new Map(), event(2), 0, "1"), event(3), 1000, "1");
    expect(both.get(1)?.map((entry) => entry.user.id)).toEqual(["2", "3"]);
    expect(applyTyping(both, event(1), 0, "1")).toBe(both);
    expect(nextSweep(both)).toBe(6000);
    expect(sweepTyping(both, 5999)).toBe(both);
    expect(
      sweepTyping(both, 6000)
        .get(1)
        ?.map((entry) => entry.user.id),
    ).toEqual(["3"]);
    expect(stopTyping(both, 1, "3").get(1)).toHaveLength(1);
    expect(applyTyping(applyTyping(both, event(2, false), 0, "1"), event(3, false), 0, "1").size).toBe(0);
  });

  test("presence: who is not named in a resume is offline; when last seen is kept", () => {
    const there = applyPresence(new Map(), { user_id: "2", status: "online", last_seen: "t" });
    expect(applyPresence(there, { user_id: "2", status: "online", last_seen: "t" })).toBe(there);
    const after = replacePresence(there, [{ user_id: "3", status: "away", last_seen: null }]);
    expect(after.get("2")).toEqual({ user_id: "2", status: "offline", last_seen: "t" });
    expect(after.get("3")?.status).toBe("away");
    const four = { user_id: "4", status: "online" } as Participant;
    const loaded = { participants: [four], participant_count: 3 };
    expect(fillPresence(after, loaded, 3).get("4")?.status).toBe("online");
    expect(fillPresence(after, loaded, 2)).toBe(after);
    expect(fillPresence(after, { participants: [], participant_count: 0 }, 3)).toBe(after);
  });

  test("ticks", () => {
    const who = (user_id: string, delivered_seq: number, read_seq: number, joined_seq = 0) =>
      ({ user_id, delivered_seq, read_seq, joined_seq }) as Participant;
    expect(tickOf(5, [who("1", 9, 9)], "1")).toBe("sent");
    expect(tickOf(5, [who("1", 9, 9), who("2", 5, 4)], "1")).toBe("delivered");
    expect(tickOf(5, [who("2", 5, 5), who("3", 4, 0)], "1")).toBe("sent");
    expect(tickOf(5, [who("2", 5, 5), who("3", 4, 0, 6)], "1")).toBe("read");
  });
});

describe("stores", () => {
  test("tell of changes only, and a view is computed once per change", () => {
    const store = new Store(1);
    let told = 0;
    let computed = 0;
    const double = derive([store], () => {
      computed += 1;
      return { value: store.getSnapshot() * 2 };
    });
    const stop = double.subscribe(() => {
      told += 1;
    });
    expect(double.getSnapshot()).toBe(double.getSnapshot());
    store.set(1);
    store.set(2);
    expect(double.getSnapshot()).toEqual({ value: 4 });
    stop();
    store.set(3);
    expect([told, computed]).toEqual([1, 2]);
  });
});
