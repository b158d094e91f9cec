// Typing as pure functions: who is writing where, and until when that holds without a repetition.
import type { TypingUser } from "../api.js";
import type { TypingEvent } from "../protocol/events.js";

export type TypingState = ReadonlyMap<number, readonly TypingUser[]>;

export function applyTyping(from: TypingState, event: TypingEvent, now: number, me: string): TypingState {
  if (event.user_id === me) {
    return from;
  }
  const others = without(from.get(event.conversation_id) ?? [], event.user_id);
  const next = event.active ? [...others, { user: event.user, until: now + event.ttl_ms }] : others;
  return replace(from, event.conversation_id, next);
}

/** Somebody's message has arrived: that ends the writing. */
export function stopTyping(from: TypingState, conversation: number, userId: string): TypingState {
  const users = from.get(conversation);
  return users === undefined ? from : replace(from, conversation, without(users, userId));
}

/** Drops who has not repeated in time. */
export function sweepTyping(from: TypingState, now: number): TypingState {
  let next = from;
  for (const [conversation, users] of from) {
    next = replace(
      next,
      conversation,
      users.every((entry) => entry.until > now) ? users : users.filter((entry) => entry.until > now),
    );
  }
  return next;
}

/** When the next one is due; `null` when nobody writes. */
export function nextSweep(from: TypingState): number | null {
  let next: number | null = null;
  for (const users of from.values()) {
    for (const { until } of users) {
      next = next === null ? until : Math.min(next, until);
    }
  }
  return next;
}

function without(users: readonly TypingUser[], userId: string): readonly TypingUser[] {
  return users.some((entry) => entry.user.id === userId)
    ? users.filter((entry) => entry.user.id !== userId)
    : users;
}

function replace(from: TypingState, conversation: number, users: readonly TypingUser[]): TypingState {
  if (users === from.get(conversation) || (users.length === 0 && !from.has(conversation))) {
    return from;
  }
  const next = new Map(from);
  if (users.length === 0) {
    next.delete(conversation);
  } else {
    next.set(conversation, users);
  }
  return next;
}
