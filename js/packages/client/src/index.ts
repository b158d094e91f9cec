// The public names of the client.
export type * from "./api.js";
export { createClient } from "./client.js";
export type {
  ConnectionReason,
  ConnectionState,
  ConnectionStatus,
  TransportKind,
} from "./connection/state.js";
export { ParlourError } from "./errors.js";
export type {
  Channel,
  Platform,
  RecordStore,
  Socket,
  SocketHandlers,
  Stop,
  StoredRecord,
} from "./platform.js";
export { browserPlatform } from "./platform-browser.js";
export type { ErrorClass, ErrorCode, LocalErrorCode, ServerErrorCode } from "./protocol/codes.js";
export type { ChangeEvent, NewConversation, ServerEvent } from "./protocol/events.js";
export type {
  Conversation,
  ConversationKind,
  ConversationStateName,
  Me,
  Message,
  Metadata,
  Participant,
  PresenceEntry,
  PresenceStatus,
  ResyncReason,
  Role,
  Timestamp,
  User,
} from "./protocol/wire.js";
export type { ReadableStore } from "./state/store.js";
