// The public surface: what an application sees of a client. The classes behind it are not exported.
import type { ConnectionState } from "./connection/state.js";
import type { ParlourError } from "./errors.js";
import type { Platform } from "./platform.js";
import type { ChangeEvent, NewConversation, ServerEvent } from "./protocol/events.js";
import type {
  Conversation,
  Me,
  Message,
  Metadata,
  PresenceEntry,
  ResyncReason,
  Role,
  User,
} from "./protocol/wire.js";
import type { ReadableStore } from "./state/store.js";

/** Why a token is asked for. After `rejected` a cached one is of no use. */
export type TokenReason = "connect" | "request" | "expiring" | "rejected";

export interface ClientOptions {
  /** Where the server is, e.g. `https://chat.example.com`. Empty: the page's own origin. */
  readonly url?: string;
  /** A JWT of the host application. Left out, or answering `undefined`: built-in accounts and the session cookie. */
  readonly getToken?: (context: { reason: TokenReason; signal: AbortSignal }) => Promise<string | undefined>;
  /** How a WebSocket signs in: by a one-use ticket (default), or by the token as a subprotocol (one round trip less). */
  readonly auth?: "ticket" | "subprotocol";
  /** Names this device: a newer connection of the same device replaces the older one. Leave out for browser tabs. */
  readonly deviceId?: string;
  /** Where unsent messages are kept: `indexeddb` (default where there is one) or `memory`. */
  readonly storage?: "indexeddb" | "memory";
  /** The environment; only tests and unusual runtimes give one. */
  readonly platform?: Platform;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

/** What `client.on` tells of. Every event of the protocol under its own name, and: */
export type ClientEvents = { readonly [E in ServerEvent as E["type"]]: E } & {
  /** Every Change, each exactly once per conversation, in the order of seqs. */
  readonly change: ChangeEvent;
  /** What was known of this conversation was thrown away and is being loaded anew. */
  readonly resync: { readonly conversation_id: number; readonly reason: ResyncReason };
  /** You are not in this conversation any more. */
  readonly gone: { readonly conversation_id: number };
  /** Something failed in the background. Nothing needs to be done; good for a log. */
  readonly error: ParlourError;
};

export interface ParlourClient {
  readonly connection: ReadableStore<ConnectionState>;
  /** Who is signed in; `null` until that is known. */
  readonly me: ReadableStore<Me | null>;
  /** By user id. Who is not in it is offline. */
  readonly presence: ReadableStore<ReadonlyMap<string, PresenceEntry>>;
  readonly conversations: Conversations;
  readonly users: Users;
  readonly blocks: Blocks;
  readonly account: Account;
  /** Connects, and keeps the connection up until `disconnect`. Repeating it does nothing; after `closed` it tries again. */
  connect(): void;
  disconnect(): void;
  /** Signs in to a built-in account and connects. */
  login(credentials: { username: string; password: string }, options?: RequestOptions): Promise<Me>;
  /** Ends the session, disconnects and forgets everything, unsent messages included. */
  logout(): Promise<void>;
  /** Asks who the session cookie or token belongs to; `null`: nobody is signed in. */
  restore(options?: RequestOptions): Promise<Me | null>;
  conversation(id: number): ConversationHandle;
  /** Tells the server that nobody is at this screen, or somebody is again. */
  setAway(away: boolean): void;
  on<K extends keyof ClientEvents>(type: K, listener: (event: ClientEvents[K]) => void): () => void;
}

/** Built-in accounts. */
export interface Account {
  /** What a login page can offer here. */
  methods(options?: RequestOptions): Promise<SignInMethods>;
  /** Makes an account, signs in and connects. */
  register(account: NewAccount, options?: RequestOptions): Promise<Me>;
  /** Ends every other sign-in of this user. */
  changePassword(passwords: { current: string; new: string }, options?: RequestOptions): Promise<void>;
  /** What is left out stays. */
  updateProfile(patch: ProfilePatch, options?: RequestOptions): Promise<Me>;
}

export interface SignInMethods {
  readonly password: boolean;
  readonly registration: boolean;
  /** People of a demonstration whom anybody may try; empty elsewhere. */
  readonly demo: readonly { readonly username: string; readonly name: string; readonly password: string }[];
}

export interface NewAccount {
  readonly username: string;
  readonly password: string;
  readonly name?: string;
}

export interface ProfilePatch {
  readonly username?: string;
  readonly name?: string;
  readonly email?: string;
  readonly avatar?: string;
}

export type LoadStatus = "idle" | "loading" | "ready" | "error";

export interface ConversationList {
  readonly status: LoadStatus;
  readonly error: ParlourError | null;
  /** Most recent activity first. */
  readonly items: readonly Conversation[];
  readonly hasMore: boolean;
  readonly loadingMore: boolean;
  /** Of the loaded conversations. */
  readonly totalUnread: number;
}

export interface Conversations {
  readonly store: ReadableStore<ConversationList>;
  load(options?: RequestOptions): Promise<void>;
  loadMore(options?: RequestOptions): Promise<void>;
  /** The conversation as it is known here, loaded if need be. */
  get(id: number, options?: RequestOptions): Promise<Conversation>;
  /** Makes a conversation, or finds it: a direct one of the same two and subject, or the same external id. */
  create(conversation: NewConversation, options?: RequestOptions): Promise<Conversation>;
  /** Finds conversations by title or name, on the server. */
  search(query: string, options?: RequestOptions): Promise<readonly Conversation[]>;
  update(id: number, patch: ConversationPatch, options?: RequestOptions): Promise<Conversation>;
  addParticipant(id: number, userId: string, options?: RequestOptions): Promise<void>;
  removeParticipant(id: number, userId: string, options?: RequestOptions): Promise<void>;
  setRole(id: number, userId: string, role: Role, options?: RequestOptions): Promise<void>;
  leave(id: number, options?: RequestOptions): Promise<void>;
}

export interface ConversationPatch {
  readonly title?: string | null;
  readonly state?: Conversation["state"];
  readonly metadata?: Metadata;
}

export interface Users {
  search(query: string, options?: RequestOptions): Promise<readonly User[]>;
  get(id: string, options?: RequestOptions): Promise<User>;
}

export interface Blocks {
  list(options?: RequestOptions): Promise<readonly User[]>;
  add(userId: string, options?: RequestOptions): Promise<void>;
  remove(userId: string, options?: RequestOptions): Promise<void>;
}

/** How far a message of one's own has come: to the server, to everybody's device, before everybody's eyes. */
export type Tick = "sent" | "delivered" | "read";

export interface MessageItem {
  readonly kind: "message";
  /** Stays the same from the first `pending` on. */
  readonly key: string;
  readonly message: Message;
  readonly mine: boolean;
  /** Only for one's own messages. */
  readonly tick: Tick | null;
}

/** A message that the server has not confirmed yet. It is never shown as sent. */
export interface PendingItem {
  readonly kind: "pending";
  readonly key: string;
  readonly clientId: string;
  readonly content: string;
  readonly replyTo: number | null;
  readonly createdAt: number;
  readonly state: PendingState;
}

export type PendingState =
  | { readonly status: "pending" }
  | { readonly status: "sending" }
  /** Refused for good: the user may change, retry or discard it. */
  | { readonly status: "failed"; readonly code: string; readonly message: string };

export type TimelineItem = MessageItem | PendingItem;

export interface Timeline {
  readonly status: LoadStatus;
  readonly error: ParlourError | null;
  /** Oldest first, tombstones included; unsent messages last. */
  readonly items: readonly TimelineItem[];
  readonly hasOlder: boolean;
  /** The window does not reach the newest message (after `loadAround`): new messages are not shown until `loadNewer` gets there. */
  readonly hasNewer: boolean;
  readonly loadingOlder: boolean;
  readonly loadingNewer: boolean;
}

export interface TypingUser {
  readonly user: User;
  /** In milliseconds since 1970. */
  readonly until: number;
}

export interface SendOptions {
  /** Id of the message that this one answers. */
  readonly replyTo?: number;
  readonly metadata?: Metadata;
}

export interface ConversationHandle {
  readonly id: number;
  /** `null` until it is loaded, and after one has left it. */
  readonly store: ReadableStore<Conversation | null>;
  readonly timeline: ReadableStore<Timeline>;
  /** Who is writing, oneself never. */
  readonly typing: ReadableStore<readonly TypingUser[]>;
  /** Loads the conversation and its newest messages; does nothing when they are there. */
  load(options?: RequestOptions): Promise<void>;
  loadOlder(options?: RequestOptions): Promise<void>;
  loadNewer(options?: RequestOptions): Promise<void>;
  /** Moves the window to this seq. `"latest"` goes back to the newest. */
  loadAround(seq: number | "latest", options?: RequestOptions): Promise<void>;
  /** Shows the message at once and sends it when it can, across reconnects and reloads. Resolves with its client id once it is kept safely. */
  send(content: string, options?: SendOptions): Promise<string>;
  edit(messageId: number, content: string, options?: RequestOptions): Promise<Message>;
  delete(messageId: number, options?: RequestOptions): Promise<Message>;
  /** Sends a failed message again. */
  retry(clientId: string): Promise<void>;
  /** Drops an unsent message. `false`: too late, it is on its way. */
  discard(clientId: string): Promise<boolean>;
  /** Read up to here; without a seq, everything. Calls are gathered, and never go back. */
  markRead(seq?: number): void;
  /** Call it with `true` at every key stroke; the SDK spaces it, and ends it by itself. */
  setTyping(active: boolean): void;
}
