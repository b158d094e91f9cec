// Conversations as pure functions: what each event makes of a conversation, its unread count and its place in the list.
import type { ChangeEvent, ReceiptEvent } from "../protocol/events.js";
import type { Conversation, Message, Participant } from "../protocol/wire.js";

/** Where the server stops counting. */
const UNREAD_CAP = 1000;
/** How many participants of a large group are named. */
const NAMED_PARTICIPANTS = 50;

/** What a step made of a conversation. `recount`: the unread count cannot be told from here and has to be asked for. */
export interface Step {
  readonly conversation: Conversation;
  readonly recount: boolean;
}

/**
 * One Change. `base` is the `last_seq` before the batch that the event came in (a replay is a batch): a message
 * above it is new to this client, even when it comes as edited or deleted.
 */
export function applyChange(from: Conversation, event: ChangeEvent, me: string, base: number): Step {
  if (event.seq <= from.last_seq) {
    return { conversation: from, recount: false };
  }
  const conversation = { ...from, last_seq: event.seq };
  switch (event.type) {
    case "message.created":
    case "message.edited":
    case "message.deleted":
      return applyMessage(conversation, event.message, me, base, event.type === "message.deleted");
    case "participant.joined":
      return keep(joined(conversation, event.participant));
    case "participant.left":
      return keep(left(conversation, event.user_id));
    case "participant.role":
      return keep(changeParticipant(conversation, event.user_id, (who) => ({ ...who, role: event.role })));
    case "conversation.changed":
      return keep({
        ...conversation,
        ...(event.title === undefined ? {} : { title: event.title }),
        ...(event.state === undefined ? {} : { state: event.state }),
        ...(event.metadata === undefined ? {} : { metadata: event.metadata }),
      });
  }
}

function keep(conversation: Conversation): Step {
  return { conversation, recount: false };
}

function applyMessage(
  from: Conversation,
  message: Message,
  me: string,
  base: number,
  deletion: boolean,
): Step {
  const isNew = message.seq > base;
  const mine = message.sender_id === me;
  let conversation: Conversation = { ...from, last_message: newerMessage(from.last_message, message) };
  if (isNew) {
    if (message.created_at > conversation.active_at) {
      conversation = { ...conversation, active_at: message.created_at };
    }
    // Who sends has read what stands above.
    conversation = changeParticipant(conversation, message.sender_id, (who) =>
      forward(who, message.seq, message.seq),
    );
  }
  if (mine) {
    return isNew ? readUpTo(conversation, message.seq, message.seq) : keep(conversation);
  }
  if (message.seq <= conversation.read_seq) {
    return keep(conversation);
  }
  if (isNew && message.deleted_at === null) {
    return keep({ ...conversation, unread_count: Math.min(UNREAD_CAP, conversation.unread_count + 1) });
  }
  if (!isNew && deletion) {
    if (conversation.unread_count >= UNREAD_CAP) {
      return { conversation, recount: true };
    }
    return keep({ ...conversation, unread_count: Math.max(0, conversation.unread_count - 1) });
  }
  return keep(conversation);
}

function newerMessage(last: Message | null, message: Message): Message {
  if (last === null || message.seq > last.seq) {
    return message;
  }
  return last.id === message.id && message.change_seq >= last.change_seq ? message : last;
}

/** One's own read mark, from here or from another device. It never goes back. */
export function readUpTo(from: Conversation, readSeq: number, deliveredSeq: number): Step {
  const read = Math.max(from.read_seq, readSeq);
  const delivered = Math.max(from.delivered_seq, deliveredSeq, read);
  if (read === from.read_seq && delivered === from.delivered_seq) {
    return { conversation: from, recount: false };
  }
  const conversation = { ...from, read_seq: read, delivered_seq: delivered };
  if (read === from.read_seq || from.unread_count === 0) {
    return { conversation, recount: false };
  }
  const everything = read >= (from.last_message?.seq ?? 0);
  return everything
    ? { conversation: { ...conversation, unread_count: 0 }, recount: false }
    : { conversation, recount: true };
}

/** A receipt: state that only moves forward. */
export function applyReceipt(from: Conversation, event: ReceiptEvent, me: string): Step {
  const receipts = Math.max(from.receipts, event.version);
  const changed = changeParticipant(from, event.user_id, (who) =>
    forward(who, event.delivered_seq, event.read_seq),
  );
  const conversation = receipts === changed.receipts ? changed : { ...changed, receipts };
  return event.user_id === me
    ? readUpTo(conversation, event.read_seq, event.delivered_seq)
    : { conversation, recount: false };
}

function forward(who: Participant, deliveredSeq: number, readSeq: number): Participant {
  const read_seq = Math.max(who.read_seq, readSeq);
  const delivered_seq = Math.max(who.delivered_seq, deliveredSeq, read_seq);
  return read_seq === who.read_seq && delivered_seq === who.delivered_seq
    ? who
    : { ...who, read_seq, delivered_seq };
}

function changeParticipant(
  conversation: Conversation,
  userId: string,
  change: (who: Participant) => Participant,
): Conversation {
  let changed = false;
  const participants = conversation.participants.map((who) => {
    const next = who.user_id === userId ? change(who) : who;
    changed ||= next !== who;
    return next;
  });
  return changed ? { ...conversation, participants } : conversation;
}

function joined(conversation: Conversation, participant: Participant): Conversation {
  if (conversation.participants.some((who) => who.user_id === participant.user_id)) {
    return conversation;
  }
  const complete = conversation.participants.length < NAMED_PARTICIPANTS;
  return {
    ...conversation,
    participants: complete ? [...conversation.participants, participant] : conversation.participants,
    participant_count: conversation.participant_count + 1,
  };
}

function left(conversation: Conversation, userId: string): Conversation {
  return {
    ...conversation,
    participants: conversation.participants.filter((who) => who.user_id !== userId),
    participant_count: Math.max(0, conversation.participant_count - 1),
  };
}

/** What REST answered, and what is known here: the newer one, with the watermarks that are furthest. */
export function mergeConversation(known: Conversation | undefined, loaded: Conversation): Conversation {
  if (known === undefined || known.epoch !== loaded.epoch) {
    return loaded;
  }
  const newer = loaded.last_seq >= known.last_seq ? loaded : known;
  const older = newer === loaded ? known : loaded;
  const marks = new Map(older.participants.map((who) => [who.user_id, who]));
  const participants = newer.participants.map((who) => {
    const mark = marks.get(who.user_id);
    return mark === undefined ? who : forward(who, mark.delivered_seq, mark.read_seq);
  });
  const merged = { ...newer, participants, receipts: Math.max(newer.receipts, older.receipts) };
  return readUpTo(merged, older.read_seq, older.delivered_seq).conversation;
}

/** Most recent activity first; equal times by id, as the server's list has it. */
export function byActivity(a: Conversation, b: Conversation): number {
  if (a.active_at !== b.active_at) {
    return a.active_at < b.active_at ? 1 : -1;
  }
  return b.id - a.id;
}
