// People, rows and messages for the gallery: what the views are looked at with before there is a server.
import type { MessageEntry, NoticeEntry } from "../src/features/conversation/model";
import type { ListRow } from "../src/features/conversation-list/model";
import type { Member } from "../src/features/people/model";

export const NOW = new Date(2026, 10, 21, 14, 32);
const at = (days: number, hours: number, minutes: number): Date =>
  new Date(2026, 10, 21 - days, hours, minutes);

const base = { presence: null, delivery: null, unread: 0, keywords: [], group: false } as const;
export const ROWS: readonly ListRow[] = [
  {
    ...base,
    id: 1,
    title: "Bob Keller",
    seed: "2",
    presence: "online",
    preview: { kind: "typing", text: "typing…" },
    at: at(0, 14, 31),
    unread: 2,
  },
  {
    ...base,
    id: 2,
    title: "Garden party",
    seed: "g2",
    group: true,
    preview: { kind: "text", by: "Carol", text: "I can bring the long table and the lanterns 🏮" },
    at: at(0, 13, 58),
    unread: 14,
  },
  {
    ...base,
    id: 3,
    title: "Dana Okafor",
    seed: "4",
    presence: "away",
    preview: { kind: "text", by: "You", text: "The keys are with the neighbour, second floor" },
    delivery: "read",
    at: at(0, 11, 20),
  },
  {
    ...base,
    id: 4,
    title: "Booking 42 · Lake house",
    seed: "g4",
    group: true,
    preview: { kind: "draft", text: "Could we arrive a little later, around" },
    at: at(0, 9, 2),
  },
  {
    ...base,
    id: 5,
    title: "Erik Lindqvist",
    seed: "5",
    presence: "offline",
    preview: { kind: "text", by: "You", text: "Perfect, thank you!" },
    delivery: "delivered",
    at: at(1, 18, 44),
  },
  {
    ...base,
    id: 6,
    title: "פורום שכנים",
    seed: "g6",
    group: true,
    preview: { kind: "text", by: null, text: "שלום לכולם, נפגשים ביום שלישי" },
    at: at(2, 10, 0),
    unread: 120,
  },
  {
    ...base,
    id: 7,
    title: "Faye Wong-Bartholomew the Third of Somewhere",
    seed: "7",
    presence: "offline",
    preview: { kind: "deleted" },
    at: at(3, 10, 0),
  },
  {
    ...base,
    id: 8,
    title: "Lost & found: umbrella",
    seed: "g8",
    group: true,
    preview: { kind: "text", by: "You", text: "Is it the green one?" },
    delivery: "queued",
    at: at(6, 15, 12),
  },
  {
    ...base,
    id: 9,
    title: "Grace",
    seed: "9",
    presence: "online",
    preview: { kind: "nothing" },
    at: at(20, 9, 0),
  },
];

type Said = Partial<MessageEntry> & { own: boolean; text: string | null; at: Date };
let seq = 0;
const say = (said: Said): MessageEntry => {
  seq += 1;
  return {
    kind: "message",
    key: `m${seq}`,
    id: seq,
    seq,
    senderId: said.own ? "1" : "2",
    senderName: said.own ? "You" : "Bob Keller",
    senderSeed: said.senderId ?? "2",
    edited: false,
    deleted: false,
    delivery: "read",
    readBy: 0,
    error: null,
    quote: null,
    ...said,
  };
};

export const DIRECT: readonly MessageEntry[] = [
  say({
    own: false,
    text: "Hello! Is the lake house still free over the first weekend of December?",
    at: at(1, 17, 3),
  }),
  say({ own: true, text: "It is, from Thursday even.", at: at(1, 17, 10) }),
  say({
    own: true,
    text: "Here is everything about it: https://example.com/houses/lake?guests=4",
    at: at(1, 17, 10),
    edited: true,
  }),
  say({
    own: false,
    text: "That looks **lovely**. Two questions:\n1. is there a stove?\n2. may the dog come too?",
    at: at(1, 17, 41),
  }),
  say({
    own: true,
    text: "Yes and yes 🙂",
    at: at(1, 17, 44),
    quote: {
      id: 4,
      name: "Bob Keller",
      text: "That looks lovely. Two questions: is there a stove, may the dog come too?",
    },
  }),
  say({ own: false, text: "🐶❤️", at: at(1, 17, 45) }),
  say({ own: false, text: null, deleted: true, at: at(1, 17, 46) }),
  say({
    own: true,
    text: "The door code changes on the day; I will send it in the morning. The heating takes an hour, so I turn it on before you come. Wood is under the stairs, and the kettle has its own mind: `press twice`.",
    at: at(0, 9, 12),
  }),
  say({ own: false, text: "Wonderful.", at: at(0, 14, 28) }),
  say({ own: false, text: "One more thing, is there a train station nearby?", at: at(0, 14, 29) }),
  say({ own: true, text: "Ten minutes on foot", at: at(0, 14, 30), delivery: "delivered" }),
  say({ own: true, text: "I can pick you up as well", at: at(0, 14, 31), delivery: "sent" }),
];

export const UNSENT: readonly MessageEntry[] = [
  ...DIRECT.slice(0, 10),
  say({ own: true, id: null, seq: null, text: "Ten minutes on foot", at: at(0, 14, 30), delivery: "queued" }),
  say({
    own: true,
    id: null,
    seq: null,
    text: "Does that work?",
    at: at(0, 14, 31),
    delivery: "failed",
    error: "one of you has blocked the other",
  }),
];

const joined: NoticeEntry = {
  kind: "notice",
  key: "n1",
  seq: null,
  text: "Carol added Erik",
  at: at(0, 13, 20),
};
const carol = { senderId: "3", senderName: "Carol Mendes" };
const erik = { senderId: "5", senderName: "Erik Lindqvist" };
export const GROUP = [
  say({ own: false, ...carol, text: "So, who brings what on Saturday?", at: at(0, 13, 2) }),
  say({ own: false, ...carol, text: "I have plates for twelve", at: at(0, 13, 2) }),
  say({ own: true, text: "I bring bread and the big salad bowl", at: at(0, 13, 10), readBy: 3 }),
  joined,
  say({
    own: false,
    ...erik,
    text: "Hi all! I make **lussekatter**, as every year ✨",
    at: at(0, 13, 31),
    quote: { id: 20, name: "Carol Mendes", text: "So, who brings what on Saturday?" },
  }),
  say({ own: false, text: "שלום! אני מביא יין", at: at(0, 13, 45) }),
  say({ own: false, ...carol, text: "I can bring the long table and the lanterns 🏮", at: at(0, 13, 58) }),
];

export const MEMBERS: readonly Member[] = [
  {
    id: "1",
    name: "Alice Moreau",
    username: "alice",
    role: "owner",
    presence: "online",
    lastSeen: null,
    self: true,
  },
  {
    id: "3",
    name: "Carol Mendes",
    username: "carol",
    role: "admin",
    presence: "online",
    lastSeen: null,
    self: false,
  },
  {
    id: "2",
    name: "Bob Keller",
    username: "bob",
    role: "member",
    presence: "away",
    lastSeen: null,
    self: false,
  },
  {
    id: "5",
    name: "Erik Lindqvist",
    username: "erik",
    role: "member",
    presence: "offline",
    lastSeen: at(0, 13, 50),
    self: false,
  },
];
