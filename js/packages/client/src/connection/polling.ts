// Long polling: the last way, for networks that let neither WebSockets nor streams through. Commands go over REST.
import { type ParlourError, toParlourError } from "../errors.js";
import type { Platform } from "../platform.js";
import { typed } from "../protocol/codec.js";
import type { Http } from "../rest/http.js";
import type { Cursor } from "./cursor.js";
import type { Link, LinkHandlers, Transport } from "./transport.js";

const WAIT_S = 25;
/** The request's own limit: the wait, and time for the way. */
const REQUEST_MS = (WAIT_S + 15) * 1000;
/** A server that answers at once and says nothing is not asked more often than this. */
const EMPTY_PAUSE_MS = 1000;

interface Polled {
  readonly events: readonly unknown[];
  readonly cursor: string;
}

export class PollingTransport implements Transport {
  readonly kind = "polling";
  readonly #platform: Platform;
  readonly #http: Http;
  readonly #cursor: Cursor;

  constructor(platform: Platform, http: Http, cursor: Cursor) {
    this.#platform = platform;
    this.#http = http;
    this.#cursor = cursor;
  }

  open(handlers: LinkHandlers): Link {
    const abort = new AbortController();
    this.#run(handlers, abort.signal).catch((thrown: unknown) => {
      if (!abort.signal.aborted) {
        const error: ParlourError = toParlourError(thrown);
        handlers.onEnd({ code: 0, reason: "", error, refused: error.code === "not_found" });
      }
    });
    return { send: null, close: () => abort.abort() };
  }

  async #run(handlers: LinkHandlers, signal: AbortSignal): Promise<void> {
    // Without a cursor the answer is hello and ready: both are needed to begin. Positions notice what was missed.
    this.#cursor.value = null;
    let first = true;
    while (!signal.aborted) {
      const begun = this.#platform.now();
      const query = { cursor: this.#cursor.value ?? undefined, wait: WAIT_S };
      const path = "/api/v1/events/poll";
      const response = await this.#http.send({ path, query, signal }, REQUEST_MS);
      const polled = (await response.json()) as Polled;
      if (signal.aborted) {
        return;
      }
      if (first) {
        handlers.onOpen();
        first = false;
      }
      handlers.onAlive();
      for (const event of polled.events) {
        const frame = typed(event);
        if (frame !== null && !signal.aborted) {
          handlers.onFrame(frame);
        }
      }
      this.#cursor.value = polled.cursor;
      if (polled.events.length === 0 && this.#platform.now() - begun < EMPTY_PAUSE_MS) {
        await new Promise<void>((resolve) => this.#platform.after(EMPTY_PAUSE_MS, resolve));
      }
    }
  }
}
