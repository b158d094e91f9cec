// Error and close codes: the tables of contract/errors.toml and contract/close_codes.toml (a test compares them).

/** What an error means for the command: final, safe to repeat, or to be settled by repeating with the same client id. */
export type ErrorClass = "rejected" | "retry" | "unknown";

export const ERROR_CODES = {
  invalid_json: { status: 400, class: "rejected" },
  invalid_frame: { status: 400, class: "rejected" },
  unknown_type: { status: 400, class: "rejected" },
  not_authenticated: { status: 401, class: "rejected" },
  forbidden: { status: 403, class: "rejected" },
  not_found: { status: 404, class: "rejected" },
  too_long: { status: 413, class: "rejected" },
  empty: { status: 422, class: "rejected" },
  rate_limited: { status: 429, class: "retry" },
  blocked: { status: 403, class: "rejected" },
  conflict: { status: 409, class: "rejected" },
  limit: { status: 422, class: "rejected" },
  unavailable: { status: 503, class: "retry" },
  unknown: { status: 503, class: "unknown" },
  internal: { status: 500, class: "unknown" },
} as const satisfies Record<string, { status: number; class: ErrorClass }>;

/** A code that the server says. */
export type ServerErrorCode = keyof typeof ERROR_CODES;
/** A code that the SDK says itself. */
export type LocalErrorCode = "network" | "timeout" | "aborted" | "closed" | "token_failed";
export type ErrorCode = ServerErrorCode | LocalErrorCode;

export const CLOSE_CODES = {
  1001: { name: "going_away", reconnect: true },
  1002: { name: "protocol_error", reconnect: true },
  1003: { name: "unsupported_data", reconnect: false },
  1007: { name: "invalid_utf8", reconnect: false },
  1008: { name: "message_timeout", reconnect: true },
  1009: { name: "too_large", reconnect: false },
  1011: { name: "internal", reconnect: true },
  1012: { name: "restarting", reconnect: true },
  4400: { name: "protocol_broken", reconnect: false },
  4401: { name: "not_authenticated", reconnect: true },
  4403: { name: "forbidden", reconnect: false },
  4408: { name: "auth_timeout", reconnect: true },
  4409: { name: "replaced", reconnect: false },
  4429: { name: "too_many", reconnect: true },
  4508: { name: "slow_consumer", reconnect: true },
} as const satisfies Record<number, { name: string; reconnect: boolean }>;

export type CloseName = (typeof CLOSE_CODES)[keyof typeof CLOSE_CODES]["name"];

/** What to do after a close; a code that is not in the table means: come back. */
export function closeCode(code: number): { name: CloseName | "lost"; reconnect: boolean } {
  return Object.hasOwn(CLOSE_CODES, code)
    ? CLOSE_CODES[code as keyof typeof CLOSE_CODES]
    : { name: "lost", reconnect: true };
}

/** The number in `retry_after_ms=N` of a close reason. */
export function retryAfterOf(reason: string): number | undefined {
  const found = /(?:^|\b)retry_after_ms=(\d{1,9})\b/.exec(reason);
  return found?.[1] === undefined ? undefined : Number(found[1]);
}
