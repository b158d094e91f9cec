// What the fake server's files share: who listens, what a client asks, how it is refused.
import type { ServerErrorCode } from "../src/protocol/codes.js";
import type { User } from "../src/protocol/wire.js";

/** Somebody who listens: a socket or a stream. */
export interface Peer {
  readonly user: User;
  readonly push: (frame: unknown) => void;
  readonly close: (code: number, reason?: string) => void;
  /** Events come only after `resume`. */
  live: boolean;
  expiresAt: number;
}

export interface Frame {
  readonly type: string;
  readonly id?: number;
  readonly [field: string]: unknown;
}

export interface Refusal {
  readonly code: ServerErrorCode;
  readonly class: string;
  readonly message: string;
  readonly retry_after_ms?: number;
}

const CLASSES: Partial<Record<ServerErrorCode, string>> = {
  rate_limited: "retry",
  unavailable: "retry",
  unknown: "unknown",
  internal: "unknown",
};

export function refusal(code: ServerErrorCode, retryAfterMs?: number): Refusal {
  return {
    code,
    class: CLASSES[code] ?? "rejected",
    message: code,
    ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
  };
}

export function helloOf(peer: Peer, now: string, heartbeatMs: number): unknown {
  return {
    type: "hello",
    protocol: "parlour.v1",
    session: "s",
    user: peer.user,
    server_time: now,
    expires_at: new Date(peer.expiresAt).toISOString(),
    heartbeat_ms: heartbeatMs,
    durability: "full",
    version: "0.0.0",
    limits: { frame_bytes: 65536, content_bytes: 16384 },
  };
}
