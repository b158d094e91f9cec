// What the ways to a server have in common: a link that delivers frames until it ends, once.
import type { ParlourError } from "../errors.js";
import type { ServerFrame } from "../protocol/events.js";
import type { TransportKind } from "./state.js";

export interface LinkEnd {
  /** The close code; 0 when there was none. */
  readonly code: number;
  readonly reason: string;
  /** What went wrong before anything was open. */
  readonly error?: ParlourError;
  /** The server was there, but this way to it did not open: a sign that something on the way forbids it. */
  readonly refused?: boolean;
}

export interface LinkHandlers {
  /** The way is open; `hello` is next. */
  onOpen(): void;
  onFrame(frame: ServerFrame): void;
  /** Something that is no frame has arrived: the other side lives. */
  onAlive(): void;
  /** Called once, and nothing after it; not called after `close`. */
  onEnd(end: LinkEnd): void;
}

export interface Link {
  /** `null`: commands go over REST. */
  readonly send: ((text: string) => void) | null;
  close(): void;
}

export interface Transport {
  readonly kind: TransportKind;
  open(handlers: LinkHandlers): Link;
}
