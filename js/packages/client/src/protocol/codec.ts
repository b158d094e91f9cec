// Frames: text to typed values and back. What a newer server adds is tolerated, what is broken is named.
import type { ChangeEvent, ServerEvent, ServerFrame, UnknownEvent } from "./events.js";

const CHANGES = {
  "message.created": true,
  "message.edited": true,
  "message.deleted": true,
  "participant.joined": true,
  "participant.left": true,
  "participant.role": true,
  "conversation.changed": true,
} as const satisfies Record<ChangeEvent["type"], true>;

const OTHERS = {
  "conversation.created": true,
  receipt: true,
  typing: true,
  presence: true,
  resync_required: true,
  expiring: true,
  restarting: true,
} as const satisfies Record<Exclude<ServerEvent["type"], ChangeEvent["type"]>, true>;

const CONTROL = { hello: true, reply: true, replay: true, ready: true } as const;

export function isChange(frame: { readonly type: string }): frame is ChangeEvent {
  return Object.hasOwn(CHANGES, frame.type);
}

/** A frame of the server; `null` when it is none. */
export function decode(text: string): ServerFrame | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  return typed(value);
}

/** The server is trusted to fill its own frames; their type is all that is looked at. */
export function typed(value: unknown): ServerFrame | null {
  if (typeof value !== "object" || value === null || !("type" in value) || typeof value.type !== "string") {
    return null;
  }
  const { type } = value;
  if (type === "replay" && "events" in value && Array.isArray(value.events)) {
    const events = value.events.map(typed).filter((event) => event !== null);
    return { ...value, events } as unknown as ServerFrame;
  }
  if (Object.hasOwn(CHANGES, type) || Object.hasOwn(OTHERS, type) || Object.hasOwn(CONTROL, type)) {
    return value as ServerFrame;
  }
  return unknownEvent(type, value);
}

function unknownEvent(name: string, value: object): UnknownEvent {
  return {
    type: "unknown",
    name,
    conversation_id: numberIn(value, "conversation_id"),
    seq: numberIn(value, "seq"),
  };
}

function numberIn(value: object, field: string): number | null {
  const found = (value as Record<string, unknown>)[field];
  return typeof found === "number" && Number.isSafeInteger(found) ? found : null;
}

export function encodeCommand(type: string, id: number, fields: object): string {
  return JSON.stringify({ type, id, ...fields });
}

/** The length of a text in bytes of UTF-8. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
