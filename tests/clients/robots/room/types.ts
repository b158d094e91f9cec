// What the room clients share: the shape of a message on the socket and in the history, and the world around the page.
import { createContext, useContext } from "react";
import type { Host } from "../../support/host.js";

export interface RoomMessage {
  readonly message_id: number;
  readonly conversation_id: number;
  readonly sender_id: number | string;
  readonly sender_name: string;
  readonly content: string;
  readonly created_at: string;
  readonly timestamp: string;
  readonly is_edited: boolean;
  readonly read_by?: readonly (number | string)[];
}

/** Any frame of the socket; each type has some of these. */
export interface RoomFrame extends RoomMessage {
  readonly type: string;
  readonly user_id: number | string;
  readonly username: string;
  readonly is_typing: boolean;
}

/** Who is signed in, as the application's own hook tells. */
export interface Auth {
  readonly token: string;
  readonly user: { readonly id: number | string };
}

export interface Page {
  readonly host: Host;
  readonly auth: Auth;
}

export const PageContext = createContext<Page | null>(null);

export function usePage(): Page {
  const page = useContext(PageContext);
  if (!page) throw new Error("this component needs a page around it");
  return page;
}

export type TypingUsers = Readonly<Record<string, string | null>>;

/** The line under the messages, or nothing. */
export function typingLine(users: TypingUsers): string | null {
  const names = Object.values(users).filter((name) => name !== null);
  if (names.length === 0) return null;
  return names.length === 1 ? `${names[0]} is typing...` : `${names.join(", ")} are typing...`;
}

/** A reader added to a message, as often as told: neither client looks whether he is there already. */
export function withReader(messages: readonly RoomMessage[], frame: RoomFrame): RoomMessage[] {
  return messages.map((message) =>
    message.message_id === frame.message_id
      ? { ...message, read_by: [...(message.read_by ?? []), frame.user_id] }
      : message,
  );
}

export function withEdit(messages: readonly RoomMessage[], frame: RoomFrame): RoomMessage[] {
  return messages.map((message) =>
    message.message_id === frame.message_id
      ? { ...message, content: frame.content, is_edited: true }
      : message,
  );
}
