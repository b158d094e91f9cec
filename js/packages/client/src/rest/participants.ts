// REST: who is in a conversation.
import type { RequestOptions } from "../api.js";
import type { Role } from "../protocol/wire.js";
import type { Http } from "./http.js";

function pathOf(conversation: number, userId?: string): string {
  const all = `/api/v1/conversations/${conversation}/participants`;
  return userId === undefined ? all : `${all}/${encodeURIComponent(userId)}`;
}

export async function addParticipant(
  http: Http,
  conversation: number,
  userId: string,
  options: RequestOptions = {},
): Promise<void> {
  const body = { user_id: userId };
  await http.json({ method: "POST", path: pathOf(conversation), body, signal: options.signal });
}

export async function removeParticipant(
  http: Http,
  conversation: number,
  userId: string,
  options: RequestOptions = {},
): Promise<void> {
  await http.json({ method: "DELETE", path: pathOf(conversation, userId), signal: options.signal });
}

export async function setRole(
  http: Http,
  conversation: number,
  userId: string,
  role: Role,
  options: RequestOptions = {},
): Promise<void> {
  const path = pathOf(conversation, userId);
  await http.json({ method: "PATCH", path, body: { role }, signal: options.signal });
}
