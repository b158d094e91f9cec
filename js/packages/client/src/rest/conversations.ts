// REST: conversations.
import type { ConversationPatch, RequestOptions } from "../api.js";
import type { NewConversation } from "../protocol/events.js";
import type { Conversation } from "../protocol/wire.js";
import type { Http } from "./http.js";

const PATH = "/api/v1/conversations";

export interface ConversationPage {
  readonly results: readonly Conversation[];
  readonly next: string | null;
}

export interface ListQuery {
  readonly limit?: number;
  readonly cursor?: string | undefined;
  readonly q?: string | undefined;
}

export function listConversations(
  http: Http,
  query: ListQuery,
  options: RequestOptions = {},
): Promise<ConversationPage> {
  return http.json({ path: PATH, query: { ...query }, signal: options.signal });
}

export function getConversation(http: Http, id: number, options: RequestOptions = {}): Promise<Conversation> {
  return http.json({ path: `${PATH}/${id}`, signal: options.signal });
}

export function createConversation(
  http: Http,
  conversation: NewConversation,
  options: RequestOptions = {},
): Promise<Conversation> {
  return http.json({ method: "POST", path: PATH, body: conversation, signal: options.signal });
}

export function updateConversation(
  http: Http,
  id: number,
  patch: ConversationPatch,
  options: RequestOptions = {},
): Promise<Conversation> {
  return http.json({ method: "PATCH", path: `${PATH}/${id}`, body: patch, signal: options.signal });
}
