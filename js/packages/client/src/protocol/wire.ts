// The objects of the native protocol, exactly as they are on the wire (docs/protocol/native.md, "Objects").

/** A time in RFC 3339, UTC, with milliseconds. */
export type Timestamp = string;

/** A person or bot, as others see it. */
export interface User {
  readonly id: string;
  readonly username: string;
  readonly name: string;
  readonly avatar: string | null;
}

/** The signed-in user's own profile. */
export interface Me extends User {
  readonly email?: string | null;
}

export type ConversationKind = "direct" | "group";
export type ConversationStateName = "open" | "read_only" | "closed";
export type Role = "member" | "admin" | "owner";
export type PresenceStatus = "online" | "away" | "offline";
export type MessageType = "text" | "system";
/** Opaque JSON of the host application. */
export type Metadata = unknown;

export interface Participant {
  readonly user_id: string;
  readonly user: User;
  readonly role: Role;
  readonly joined_seq: number;
  readonly delivered_seq: number;
  readonly read_seq: number;
  readonly status?: PresenceStatus;
  readonly last_seen?: Timestamp | null;
}

export interface Message {
  readonly id: number;
  readonly conversation_id: number;
  /** Its place, for ever. */
  readonly seq: number;
  /** Its last Change. */
  readonly change_seq: number;
  readonly sender_id: string;
  readonly sender: User;
  readonly client_id: string | null;
  readonly type: MessageType;
  /** `null` in a tombstone. */
  readonly content: string | null;
  readonly metadata?: Metadata;
  readonly attachments?: readonly unknown[];
  readonly reply_to: number | null;
  readonly created_at: Timestamp;
  readonly edited_at: Timestamp | null;
  readonly deleted_at: Timestamp | null;
}

export interface Conversation {
  readonly id: number;
  readonly kind: ConversationKind;
  readonly state: ConversationStateName;
  readonly title: string | null;
  readonly subject: string | null;
  readonly external_id: string | null;
  readonly metadata?: Metadata;
  readonly epoch: number;
  readonly last_seq: number;
  /** The version of its receipts. */
  readonly receipts: number;
  readonly created_at: Timestamp;
  readonly active_at: Timestamp;
  /** Of a large group the first 50. */
  readonly participants: readonly Participant[];
  readonly participant_count: number;
  readonly last_message: Message | null;
  /** Stops at 1,000. */
  readonly unread_count: number;
  readonly read_seq: number;
  readonly delivered_seq: number;
  readonly joined_seq: number;
}

/** Where a client stands in one conversation. */
export interface Position {
  readonly conversation_id: number;
  readonly epoch: number;
  readonly seq: number;
  readonly receipts: number;
}

export interface PresenceEntry {
  readonly user_id: string;
  readonly status: PresenceStatus;
  readonly last_seen: Timestamp | null;
}

export type ResyncReason = "too_long" | "epoch" | "future" | (string & {});

/** The bounds that the server tells in `hello`. */
export interface Limits {
  readonly frame_bytes?: number;
  readonly content_bytes?: number;
  /** Of conversations with more participants nobody is told who comes, goes and types. */
  readonly signal_participants?: number;
  readonly [name: string]: unknown;
}

export interface Hello {
  readonly type: "hello";
  readonly protocol: string;
  readonly session: string;
  readonly user: Me;
  readonly server_time: Timestamp;
  readonly expires_at: Timestamp | null;
  readonly heartbeat_ms: number;
  readonly durability?: string;
  readonly version?: string;
  readonly limits?: Limits;
}

export interface ResumeResult {
  readonly conversations: readonly Position[];
  readonly resync: readonly { readonly conversation_id: number; readonly reason: ResyncReason }[];
  readonly gone: readonly number[];
  readonly presence: readonly PresenceEntry[];
}

/** What REST answers to a page of messages; newest page first, each page oldest first. */
export interface MessagePage {
  readonly results: readonly Message[];
  readonly next: unknown;
  readonly previous: unknown;
}
