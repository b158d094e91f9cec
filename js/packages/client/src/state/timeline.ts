// A timeline as pure functions: one window of a conversation's messages, in the order of seqs, each once.
import type { LoadStatus } from "../api.js";
import type { ParlourError } from "../errors.js";
import type { Message } from "../protocol/wire.js";

export interface TimelineState {
  readonly status: LoadStatus;
  readonly error: ParlourError | null;
  /** A window without holes: in the order of seqs. */
  readonly messages: readonly Message[];
  readonly hasOlder: boolean;
  /** The window ends before the newest message. */
  readonly hasNewer: boolean;
  readonly loadingOlder: boolean;
  readonly loadingNewer: boolean;
  /** What arrived of messages outside the window while a page was on its way: the page may be older. */
  readonly late: readonly Message[];
}

/** A page, whatever order it came in. */
export interface Page {
  readonly messages: readonly Message[];
  readonly hasMore: boolean;
}

export const EMPTY_TIMELINE: TimelineState = {
  status: "idle",
  error: null,
  messages: [],
  hasOlder: false,
  hasNewer: false,
  loadingOlder: false,
  loadingNewer: false,
  late: [],
};

export type Loading = "latest" | "older" | "newer";

export function beginLoading(from: TimelineState, what: Loading): TimelineState {
  switch (what) {
    case "latest":
      return { ...EMPTY_TIMELINE, status: "loading" };
    case "older":
      return { ...from, loadingOlder: true };
    case "newer":
      return { ...from, loadingNewer: true };
  }
}

export function failLoading(from: TimelineState, what: Loading, error: ParlourError): TimelineState {
  switch (what) {
    case "latest":
      return { ...from, status: "error", error };
    case "older":
      return settle({ ...from, loadingOlder: false });
    case "newer":
      return settle({ ...from, loadingNewer: false });
  }
}

/** The newest page. What arrived live meanwhile follows on it without a hole. */
export function showLatest(from: TimelineState, page: Page): TimelineState {
  return settle({
    ...EMPTY_TIMELINE,
    status: "ready",
    messages: merge(page.messages, from.messages, from.late),
    hasOlder: page.hasMore,
    late: from.late,
  });
}

/** A window in the middle: what stands before a place, and what follows it. */
export function showAround(from: TimelineState, before: Page, after: Page): TimelineState {
  const live = after.hasMore ? [] : from.messages;
  return settle({
    ...EMPTY_TIMELINE,
    status: "ready",
    messages: merge([...before.messages, ...after.messages], live, from.late),
    hasOlder: before.hasMore,
    hasNewer: after.hasMore,
    late: from.late,
  });
}

export function addOlder(from: TimelineState, page: Page): TimelineState {
  return settle({
    ...from,
    messages: merge(page.messages, from.messages, from.late),
    hasOlder: page.hasMore,
    loadingOlder: false,
  });
}

export function addNewer(from: TimelineState, page: Page): TimelineState {
  const messages = merge(page.messages, from.messages, from.late);
  if (page.hasMore) {
    return settle({ ...from, messages, hasNewer: true, loadingNewer: false });
  }
  // The end is reached: what arrived live while the last page was on its way belongs to the window.
  const last = messages.at(-1)?.seq ?? 0;
  const live = from.late.filter((message) => message.seq > last);
  return settle({ ...from, messages: merge(messages, live), hasNewer: false, loadingNewer: false });
}

/** A message as an event or a reply tells it. `isNew`: it was created after what is known here, so it follows on the end. */
export function upsert(from: TimelineState, message: Message, isNew: boolean): TimelineState {
  if (from.status !== "ready" && from.status !== "loading") {
    return from;
  }
  const at = from.messages.findIndex((known) => known.id === message.id);
  const known = from.messages[at];
  if (known !== undefined) {
    return message.change_seq > known.change_seq
      ? { ...from, messages: from.messages.map((other, place) => (place === at ? message : other)) }
      : from;
  }
  if (belongs(from, message, isNew)) {
    return { ...from, messages: merge(from.messages, [message]) };
  }
  return isLoading(from) ? { ...from, late: [...from.late, message] } : from;
}

function belongs(state: TimelineState, message: Message, isNew: boolean): boolean {
  if (state.status === "loading") {
    return isNew;
  }
  const first = state.messages[0];
  const last = state.messages.at(-1);
  if (first === undefined || last === undefined) {
    return !state.hasNewer && (isNew || !state.hasOlder);
  }
  if (message.seq > last.seq) {
    return !state.hasNewer;
  }
  return message.seq > first.seq || !state.hasOlder;
}

function isLoading(state: TimelineState): boolean {
  return state.status === "loading" || state.loadingOlder || state.loadingNewer;
}

function settle(state: TimelineState): TimelineState {
  return isLoading(state) || state.late.length === 0 ? state : { ...state, late: [] };
}

/** Each message once, its latest form, in the order of seqs. `updates` change messages and add none. */
function merge(
  one: readonly Message[],
  other: readonly Message[],
  updates: readonly Message[] = [],
): readonly Message[] {
  const byId = new Map<number, Message>();
  for (const message of [...one, ...other]) {
    const known = byId.get(message.id);
    if (known === undefined || message.change_seq > known.change_seq) {
      byId.set(message.id, message);
    }
  }
  for (const message of updates) {
    const known = byId.get(message.id);
    if (known !== undefined && message.change_seq > known.change_seq) {
      byId.set(message.id, message);
    }
  }
  return [...byId.values()].sort((a, b) => a.seq - b.seq);
}

/** How many messages of others stand after `readSeq`; `null` when the window does not reach far enough to tell. */
export function countUnread(state: TimelineState, readSeq: number, me: string): number | null {
  const first = state.messages[0];
  const covers = !state.hasOlder || (first !== undefined && first.seq <= readSeq + 1);
  if (state.status !== "ready" || state.hasNewer || !covers) {
    return null;
  }
  return state.messages.filter(
    (message) => message.seq > readSeq && message.sender_id !== me && message.deleted_at === null,
  ).length;
}
