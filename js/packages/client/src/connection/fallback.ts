// Which transport to try next: WebSockets, until they fail repeatedly without ever a hello; then what HTTP alone can do. Pure.
import type { TransportKind } from "./state.js";

/** So many opens in a row without a hello, and the next transport is tried. */
const FAILURES_BEFORE_FALLBACK = 3;
/** How long a fallback serves before WebSockets are tried again. */
export const RETRY_WEBSOCKET_MS = 5 * 60_000;

export interface FallbackState {
  readonly transport: TransportKind;
  readonly failures: number;
  /** When WebSockets may be tried again, while they are not used. */
  readonly retryAt: number;
}

export const INITIAL_FALLBACK: FallbackState = { transport: "websocket", failures: 0, retryAt: 0 };

/** The transport said hello. */
export function worked(from: FallbackState): FallbackState {
  return from.failures === 0 ? from : { ...from, failures: 0 };
}

/** The transport could not be opened although the server was there. */
export function failed(from: FallbackState, now: number): FallbackState {
  const failures = from.failures + 1;
  if (failures < FAILURES_BEFORE_FALLBACK) {
    return { ...from, failures };
  }
  switch (from.transport) {
    case "websocket":
      return { transport: "sse", failures: 0, retryAt: now + RETRY_WEBSOCKET_MS };
    case "sse":
      return { ...from, transport: "polling", failures: 0 };
    case "polling":
      // Nothing works: begin again from the front.
      return INITIAL_FALLBACK;
  }
}

/** Time to see whether WebSockets work again. One failure is enough to return to server-sent events. */
export function tryWebSocket(from: FallbackState, now: number): FallbackState {
  return from.transport !== "websocket" && now >= from.retryAt
    ? { transport: "websocket", failures: FAILURES_BEFORE_FALLBACK - 1, retryAt: 0 }
    : from;
}
