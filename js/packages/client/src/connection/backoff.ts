// How long to wait before the next attempt: full jitter from 1 s to 30 s, without an attempt limit.

const FIRST_DELAY_MS = 1_000;
export const LONGEST_DELAY_MS = 30_000;

/** `attempt` counts from 1; `random` is at least 0 and below 1. `retryAfterMs` is what the server asked for at least. */
export function backoff(attempt: number, random: number, retryAfterMs = 0): number {
  const most = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 10));
  const jitter = Math.floor(random * most);
  // The server's time is kept, and spread a little, so that not all come back in the same instant.
  return retryAfterMs > 0 ? retryAfterMs + Math.min(jitter, FIRST_DELAY_MS) : jitter;
}
