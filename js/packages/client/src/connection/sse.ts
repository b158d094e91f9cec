// Server-sent events over fetch: the stream where WebSockets fail. Commands go over REST.
import { toParlourError } from "../errors.js";
import { decode } from "../protocol/codec.js";
import type { Http } from "../rest/http.js";
import type { Cursor } from "./cursor.js";
import type { Link, LinkHandlers, Transport } from "./transport.js";

export class SseTransport implements Transport {
  readonly kind = "sse";
  readonly #http: Http;
  readonly #cursor: Cursor;

  constructor(http: Http, cursor: Cursor) {
    this.#http = http;
    this.#cursor = cursor;
  }

  open(handlers: LinkHandlers): Link {
    const abort = new AbortController();
    this.#run(handlers, abort.signal).then(
      () => {
        if (!abort.signal.aborted) {
          handlers.onEnd({ code: 0, reason: "", refused: true });
        }
      },
      (thrown: unknown) => {
        if (!abort.signal.aborted) {
          const error = toParlourError(thrown);
          const refused = error.code === "network" || error.code === "unknown" || error.code === "not_found";
          handlers.onEnd({ code: 0, reason: "", error, refused });
        }
      },
    );
    return { send: null, close: () => abort.abort() };
  }

  async #run(handlers: LinkHandlers, signal: AbortSignal): Promise<void> {
    const query = { cursor: this.#cursor.value ?? undefined };
    const path = "/api/v1/events";
    const response = await this.#http.send({ path, query, signal }, null, "text/event-stream");
    if (signal.aborted || response.body === null) {
      return;
    }
    handlers.onOpen();
    const reader = response.body.getReader();
    const text = new TextDecoder();
    const parser = new EventStreamParser((data, id) => {
      const frame = decode(data);
      if (frame !== null && !signal.aborted) {
        handlers.onFrame(frame);
      }
      // Only now: what was not handled is asked for again.
      if (id !== null && !signal.aborted) {
        this.#cursor.value = id;
      }
    });
    for (;;) {
      const { done, value } = await reader.read();
      if (signal.aborted) {
        await reader.cancel();
        return;
      }
      if (done) {
        return;
      }
      handlers.onAlive();
      parser.push(text.decode(value, { stream: true }));
    }
  }
}

/** The lines of `text/event-stream` as the HTML standard describes them; `retry` and named events are of no use here. */
export class EventStreamParser {
  readonly #emit: (data: string, id: string | null) => void;
  #buffer = "";
  #data: string[] = [];
  #id: string | null = null;

  constructor(emit: (data: string, id: string | null) => void) {
    this.#emit = emit;
  }

  push(chunk: string): void {
    this.#buffer += chunk;
    for (;;) {
      const end = /\r\n|\n|\r(?=[\s\S])/.exec(this.#buffer);
      if (end === null) {
        return;
      }
      const line = this.#buffer.slice(0, end.index);
      this.#buffer = this.#buffer.slice(end.index + end[0].length);
      this.#line(line);
    }
  }

  #line(line: string): void {
    if (line === "") {
      if (this.#data.length > 0) {
        this.#emit(this.#data.join("\n"), this.#id);
      }
      this.#data = [];
      this.#id = null;
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") {
      this.#data.push(value);
    } else if (field === "id" && !value.includes("\0")) {
      this.#id = value;
    }
  }
}
