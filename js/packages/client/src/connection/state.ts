// The connection as one union value, and the table of which state may follow which.
import type { ErrorCode } from "../protocol/codes.js";

/*
 * from            may become
 * --------------  ------------------------------------------------------------------
 * idle            connecting, offline, closed
 * connecting      authenticating, waiting, offline, closed, idle
 * authenticating  resuming, waiting, offline, closed, idle
 * resuming        open, waiting, offline, closed, idle
 * open            waiting, connecting (a change of transport), offline, closed, idle
 * waiting         connecting, offline, closed, idle
 * offline         connecting, closed, idle
 * closed          connecting, idle (only by a new connect())
 */
export const TRANSITIONS = {
  idle: ["connecting", "offline", "closed"],
  connecting: ["authenticating", "waiting", "offline", "closed", "idle"],
  authenticating: ["resuming", "waiting", "offline", "closed", "idle"],
  resuming: ["open", "waiting", "offline", "closed", "idle"],
  open: ["waiting", "connecting", "offline", "closed", "idle"],
  waiting: ["connecting", "offline", "closed", "idle"],
  offline: ["connecting", "closed", "idle"],
  closed: ["connecting", "offline", "idle"],
} as const satisfies Record<ConnectionStatus, readonly ConnectionStatus[]>;

export type TransportKind = "websocket" | "sse" | "polling";

/** Why the client waits or stays away: a close code's name, an error's code, or `lost` for a connection that broke. */
export type ConnectionReason =
  | ErrorCode
  | "lost"
  | "gap"
  | "going_away"
  | "protocol_error"
  | "unsupported_data"
  | "invalid_utf8"
  | "message_timeout"
  | "too_large"
  | "restarting"
  | "protocol_broken"
  | "auth_timeout"
  | "replaced"
  | "too_many"
  | "slow_consumer"
  | "heartbeat";

export type ConnectionState =
  | { readonly status: "idle" }
  | { readonly status: "connecting"; readonly transport: TransportKind }
  | { readonly status: "authenticating"; readonly transport: TransportKind }
  | { readonly status: "resuming"; readonly transport: TransportKind }
  | { readonly status: "open"; readonly transport: TransportKind }
  | {
      readonly status: "waiting";
      readonly attempt: number;
      /** When the next attempt begins, in milliseconds since 1970. */
      readonly retryAt: number;
      readonly reason: ConnectionReason;
    }
  | { readonly status: "offline" }
  | { readonly status: "closed"; readonly reason: ConnectionReason };

export type ConnectionStatus = ConnectionState["status"];

export function mayFollow(from: ConnectionStatus, to: ConnectionStatus): boolean {
  return (TRANSITIONS[from] as readonly ConnectionStatus[]).includes(to);
}
