// What a row says about a conversation: the last word, whose it was, and how far it has come.
import type { Conversation, Message, Participant, Timeline } from "@parlour/client";
import { expect, it } from "vitest";
import { type RowSources, toRow } from "./rows";

const user = (id: string, name: string) => ({ id, username: name.toLowerCase(), name, avatar: null });
const person = (id: string, name: string, read = 0, delivered = read): Participant => ({
  user_id: id,
  user: user(id, name),
  role: "member",
  joined_seq: 0,
  delivered_seq: delivered,
  read_seq: read,
});
const said = (seq: number, sender: string, content: string | null): Message => ({
  id: seq,
  conversation_id: 7,
  seq,
  change_seq: seq,
  sender_id: sender,
  sender: user(sender, sender === "1" ? "Alice" : "Bob Keller"),
  client_id: null,
  type: "text",
  content,
  reply_to: null,
  created_at: "2026-01-01T10:00:00.000Z",
  edited_at: null,
  deleted_at: content === null ? "2026-01-01T10:01:00.000Z" : null,
});
const conversation = (over: Partial<Conversation> = {}): Conversation => ({
  id: 7,
  kind: "direct",
  state: "open",
  title: null,
  subject: null,
  external_id: null,
  epoch: 1,
  last_seq: 3,
  receipts: 0,
  created_at: "2026-01-01T09:00:00.000Z",
  active_at: "2026-01-01T10:00:00.000Z",
  participants: [person("1", "Alice"), person("2", "Bob Keller")],
  participant_count: 2,
  last_message: said(3, "2", "Hello"),
  unread_count: 0,
  read_seq: 3,
  delivered_seq: 3,
  joined_seq: 0,
  ...over,
});
const sources: RowSources = {
  me: "1",
  presence: new Map([["2", { user_id: "2", status: "online", last_seen: null }]]),
  timeline: undefined,
  typing: [],
  draft: "",
  open: false,
  online: true,
  apart: false,
};

it("is called after the other and shows whether he is there", () => {
  expect(toRow(conversation(), sources)).toMatchObject({
    title: "Bob Keller",
    presence: "online",
    preview: { kind: "text", by: null, text: "Hello" },
    delivery: null,
  });
});

it("names who spoke last in a group, and oneself always", () => {
  expect(toRow(conversation({ kind: "group" }), sources).preview).toMatchObject({ by: "Bob" });
  expect(toRow(conversation({ last_message: said(3, "1", "Hi") }), sources).preview).toMatchObject({
    by: "You",
  });
});

it("shows how far one's own last message has come", () => {
  const mine = { last_message: said(3, "1", "Hi") };
  const states = [person("2", "Bob"), person("2", "Bob", 0, 3), person("2", "Bob", 3)].map(
    (bob) => toRow(conversation({ ...mine, participants: [person("1", "Alice"), bob] }), sources).delivery,
  );
  expect(states).toEqual(["sent", "delivered", "read"]);
});

it("prefers typing to a draft, a draft to an unsent message, and that to the last one", () => {
  const typing = [{ user: user("2", "Bob"), until: 0 }];
  const timeline = {
    items: [
      {
        kind: "pending",
        key: "cx",
        clientId: "x",
        content: "later",
        replyTo: null,
        createdAt: 5,
        state: { status: "pending" },
      },
    ],
  } as unknown as Timeline;
  const all = { ...sources, typing, draft: "so far", timeline };
  expect(toRow(conversation(), all).preview.kind).toBe("typing");
  expect(toRow(conversation(), { ...all, typing: [] }).preview).toEqual({ kind: "draft", text: "so far" });
  expect(toRow(conversation(), { ...all, typing: [], open: true }).preview).toMatchObject({ text: "later" });
  expect(toRow(conversation(), { ...all, online: false }).delivery).toBe("queued");
});

it("says when the last message is gone, and when there is none", () => {
  expect(toRow(conversation({ last_message: said(3, "2", null) }), sources).preview.kind).toBe("deleted");
  expect(toRow(conversation({ last_message: null }), sources).preview.kind).toBe("nothing");
});
