// The frames of the server and the commands of the client, as unions that a switch can exhaust.
import type {
  Conversation,
  ConversationKind,
  ConversationStateName,
  Hello,
  Me,
  Message,
  Metadata,
  Participant,
  Position,
  PresenceStatus,
  ResumeResult,
  ResyncReason,
  Role,
  Timestamp,
  User,
} from "./wire.js";

interface Change {
  readonly conversation_id: number;
  readonly seq: number;
}

export interface MessageCreated extends Change {
  readonly type: "message.created";
  readonly message: Message;
}
export interface MessageEdited extends Change {
  readonly type: "message.edited";
  readonly message: Message;
}
export interface MessageDeleted extends Change {
  readonly type: "message.deleted";
  readonly message: Message;
}
export interface ParticipantJoined extends Change {
  readonly type: "participant.joined";
  readonly participant: Participant;
  readonly by: string;
}
export interface ParticipantLeft extends Change {
  readonly type: "participant.left";
  readonly user_id: string;
  readonly by: string;
}
export interface ParticipantRole extends Change {
  readonly type: "participant.role";
  readonly user_id: string;
  readonly role: Role;
  readonly by: string;
}
export interface ConversationChanged extends Change {
  readonly type: "conversation.changed";
  readonly title?: string | null;
  readonly state?: ConversationStateName;
  readonly metadata?: Metadata;
  readonly by: string;
}

/** A durable happening: it has a seq. */
export type ChangeEvent =
  | MessageCreated
  | MessageEdited
  | MessageDeleted
  | ParticipantJoined
  | ParticipantLeft
  | ParticipantRole
  | ConversationChanged;

export interface ConversationCreated {
  readonly type: "conversation.created";
  readonly conversation_id: number;
  readonly conversation: Conversation;
}
export interface ReceiptEvent {
  readonly type: "receipt";
  readonly conversation_id: number;
  readonly user_id: string;
  readonly delivered_seq: number;
  readonly read_seq: number;
  readonly version: number;
}
export interface TypingEvent {
  readonly type: "typing";
  readonly conversation_id: number;
  readonly user_id: string;
  readonly user: User;
  readonly active: boolean;
  readonly ttl_ms: number;
}
export interface PresenceEvent {
  readonly type: "presence";
  readonly user_id: string;
  readonly status: PresenceStatus;
  readonly last_seen: Timestamp | null;
}
export interface ResyncRequired {
  readonly type: "resync_required";
  readonly conversation_id: number;
  readonly reason: ResyncReason;
}
export interface Expiring {
  readonly type: "expiring";
  readonly expires_at: Timestamp;
}
export interface Restarting {
  readonly type: "restarting";
  readonly retry_after_ms: number;
}

/** What has no seq: receipts (state), signals, notices. */
export type SignalEvent =
  | ConversationCreated
  | ReceiptEvent
  | TypingEvent
  | PresenceEvent
  | ResyncRequired
  | Expiring
  | Restarting;

export type ServerEvent = ChangeEvent | SignalEvent;

/** An event of a newer server: its seq counts, the rest is ignored. */
export interface UnknownEvent {
  readonly type: "unknown";
  readonly name: string;
  readonly conversation_id: number | null;
  readonly seq: number | null;
}

export interface Replay {
  readonly type: "replay";
  readonly conversation_id: number;
  readonly after: number;
  readonly up_to: number;
  readonly events: readonly (ChangeEvent | ReceiptEvent | UnknownEvent)[];
}

export interface WireError {
  readonly code: string;
  readonly class?: string;
  readonly message?: string;
  readonly retry_after_ms?: number;
  readonly limit?: string;
}
export interface Reply {
  readonly type: "reply";
  readonly id: number | null;
  readonly ok?: unknown;
  readonly error?: WireError;
}
/** Ends the replay of a stream without `resume` (server-sent events, long polling). */
export interface Ready extends ResumeResult {
  readonly type: "ready";
}

export type ServerFrame = Hello | Reply | Replay | Ready | ServerEvent | UnknownEvent;

/** Each command with its fields (`in`) and what its reply holds (`ok`). */
export interface Commands {
  auth: { in: { token: string }; ok: { user: Me; expires_at: Timestamp | null } };
  resume: { in: { positions: readonly Position[] }; ok: ResumeResult };
  "message.send": {
    in: {
      conversation_id: number;
      content: string;
      client_id?: string;
      reply_to?: number;
      metadata?: Metadata;
    };
    ok: { message: Message; duplicate: boolean };
  };
  "message.edit": {
    in: { message_id: number; content: string };
    ok: { message: Message; duplicate?: boolean };
  };
  "message.delete": { in: { message_id: number }; ok: { message: Message; duplicate?: boolean } };
  read: { in: { conversation_id: number; seq: number }; ok: Watermark };
  delivered: { in: { conversation_id: number; seq: number }; ok: Watermark };
  typing: { in: { conversation_id: number; active: boolean }; ok: Record<string, never> };
  presence: { in: { status: "online" | "away" }; ok: Record<string, never> };
  "conversation.create": { in: NewConversation; ok: { conversation: Conversation; created: boolean } };
  "participant.add": { in: { conversation_id: number; user_id: string }; ok: { added: boolean } };
  "participant.remove": { in: { conversation_id: number; user_id: string }; ok: Record<string, never> };
  ping: { in: Record<never, never>; ok: { server_time: Timestamp } };
}
export type CommandName = keyof Commands;
export type CommandInput<K extends CommandName> = Commands[K]["in"];
export type CommandResult<K extends CommandName> = Commands[K]["ok"];

export interface Watermark {
  readonly delivered_seq: number;
  readonly read_seq: number;
}

/** A conversation to make, or to find where it stands already. */
export interface NewConversation {
  readonly kind: ConversationKind;
  readonly participants: readonly string[];
  readonly title?: string;
  readonly subject?: string;
  readonly external_id?: string;
  readonly metadata?: Metadata;
}
