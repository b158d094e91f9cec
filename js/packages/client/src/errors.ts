// The one error that the SDK throws: a stable code, and what it means for the command.
import { ERROR_CODES, type ErrorClass, type ErrorCode, type ServerErrorCode } from "./protocol/codes.js";
import type { WireError } from "./protocol/events.js";

interface Details {
  class?: ErrorClass;
  status?: number | undefined;
  retryAfterMs?: number | undefined;
  limit?: string | undefined;
  cause?: unknown;
}

const LOCAL_CLASSES = {
  network: "unknown",
  timeout: "unknown",
  aborted: "unknown",
  closed: "unknown",
  token_failed: "retry",
} as const satisfies Record<string, ErrorClass>;

export class ParlourError extends Error {
  override readonly name = "ParlourError";
  readonly code: ErrorCode;
  /** `rejected`: never stored. `retry`: not stored, may be repeated. `unknown`: repeat with the same client id. */
  readonly class: ErrorClass;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** Which limit refused. */
  readonly limit: string | undefined;

  constructor(code: ErrorCode, message: string, details: Details = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.class = details.class ?? defaultClass(code);
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
    this.limit = details.limit;
  }
}

function defaultClass(code: ErrorCode): ErrorClass {
  return code in ERROR_CODES
    ? ERROR_CODES[code as ServerErrorCode].class
    : LOCAL_CLASSES[code as keyof typeof LOCAL_CLASSES];
}

function isClass(value: unknown): value is ErrorClass {
  return value === "rejected" || value === "retry" || value === "unknown";
}

/** A server's error as a ParlourError. A code of a newer server becomes `unknown`, but keeps the class it came with. */
export function fromWire(error: WireError, status?: number, retryAfterMs?: number): ParlourError {
  const known = Object.hasOwn(ERROR_CODES, error.code);
  const code = known ? (error.code as ServerErrorCode) : "unknown";
  return new ParlourError(code, error.message ?? error.code, {
    ...(isClass(error.class) ? { class: error.class } : {}),
    status,
    retryAfterMs: error.retry_after_ms ?? retryAfterMs,
    limit: error.limit,
  });
}

/** Anything thrown, as a ParlourError. */
export function toParlourError(thrown: unknown): ParlourError {
  if (thrown instanceof ParlourError) {
    return thrown;
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new ParlourError("network", message, { cause: thrown });
}
