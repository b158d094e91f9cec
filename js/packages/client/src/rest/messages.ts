// REST: messages, and the commands that go this way where there is no WebSocket.
import type { RequestOptions } from "../api.js";
import type { CommandInput } from "../protocol/events.js";
import type { Message, MessagePage } from "../protocol/wire.js";
import type { Page } from "../state/timeline.js";
import type { Http } from "./http.js";

const PAGE = 50;

function pathOf(conversation: number, what: string): string {
  return `/api/v1/conversations/${conversation}/${what}`;
}

export type PageOf = { readonly before: number } | { readonly after: number } | Record<never, never>;

/** A page of messages, oldest first: the newest, those before a seq, or those after one. */
export async function listMessages(
  http: Http,
  conversation: number,
  where: PageOf,
  options: RequestOptions = {},
): Promise<Page> {
  const path = pathOf(conversation, "messages");
  const page = await http.json<MessagePage>({
    path,
    query: { ...where, limit: PAGE },
    signal: options.signal,
  });
  const messages = [...page.results].sort((a, b) => a.seq - b.seq);
  // `next` leads on in the direction that was asked for: to newer ones with `after`, else to older ones.
  return { messages, hasMore: page.next !== null && page.next !== undefined };
}

export async function sendMessage(
  http: Http,
  input: CommandInput<"message.send">,
  options: RequestOptions = {},
): Promise<Message> {
  const { conversation_id, ...body } = input;
  const path = pathOf(conversation_id, "messages");
  return http.json({ method: "POST", path, body, signal: options.signal });
}

export function editMessage(
  http: Http,
  id: number,
  content: string,
  options: RequestOptions = {},
): Promise<Message> {
  const path = `/api/v1/messages/${id}`;
  return http.json({ method: "PATCH", path, body: { content }, signal: options.signal });
}

export function getMessage(http: Http, id: number, options: RequestOptions = {}): Promise<Message> {
  return http.json({ path: `/api/v1/messages/${id}`, signal: options.signal });
}

export async function deleteMessage(http: Http, id: number, options: RequestOptions = {}): Promise<void> {
  await http.json({ method: "DELETE", path: `/api/v1/messages/${id}`, signal: options.signal });
}

export async function mark(
  http: Http,
  kind: "read" | "delivered",
  input: CommandInput<"read">,
  options: RequestOptions = {},
): Promise<void> {
  const path = pathOf(input.conversation_id, kind);
  await http.json({ method: "POST", path, body: { seq: input.seq }, signal: options.signal });
}

export async function sendTyping(
  http: Http,
  input: CommandInput<"typing">,
  options: RequestOptions = {},
): Promise<void> {
  const path = pathOf(input.conversation_id, "typing");
  await http.json({ method: "POST", path, body: { active: input.active }, signal: options.signal });
}
