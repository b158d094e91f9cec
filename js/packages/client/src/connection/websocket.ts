// The native WebSocket: signs in with a ticket or with the token as a subprotocol.
import type { Credentials } from "../credentials.js";
import { ParlourError, toParlourError } from "../errors.js";
import type { Platform, Socket } from "../platform.js";
import { decode } from "../protocol/codec.js";
import { requestTicket } from "../rest/auth.js";
import type { Http } from "../rest/http.js";
import type { Link, LinkEnd, LinkHandlers, Transport } from "./transport.js";

const PROTOCOL = "parlour.v1";
/** How long opening may take, the hello not included. */
const OPEN_MS = 15_000;

interface WebSocketOptions {
  readonly platform: Platform;
  readonly http: Http;
  readonly credentials: Credentials;
  readonly auth: "ticket" | "subprotocol";
  readonly deviceId: string | undefined;
}

export class WebSocketTransport implements Transport {
  readonly kind = "websocket";
  readonly #options: WebSocketOptions;

  constructor(options: WebSocketOptions) {
    this.#options = options;
  }

  open(handlers: LinkHandlers): Link {
    const { platform } = this.#options;
    const abort = new AbortController();
    let socket: Socket | null = null;
    let ended = false;
    let opened = false;
    const end = (how: LinkEnd): void => {
      if (!ended) {
        ended = true;
        stopTimer();
        abort.abort();
        handlers.onEnd(how);
      }
    };
    const stopTimer = platform.after(OPEN_MS, () => {
      if (!opened) {
        const refused = socket !== null;
        socket?.close();
        end({ code: 0, reason: "", refused, error: new ParlourError("timeout", "opening took too long") });
      }
    });
    this.#signIn(abort.signal).then(
      ({ url, protocols, verified }) => {
        if (ended) {
          return;
        }
        socket = platform.openSocket(url, protocols, {
          onOpen: () => {
            opened = true;
            stopTimer();
            if (!ended) {
              handlers.onOpen();
            }
          },
          onMessage: (text) => {
            const frame = decode(text);
            if (ended) {
              return;
            }
            if (frame === null) {
              handlers.onAlive();
            } else {
              handlers.onFrame(frame);
            }
          },
          onClose: (code, reason) => end({ code, reason, refused: !opened && verified }),
        });
        if (socket === null) {
          end({ code: 0, reason: "", refused: true });
        }
      },
      (thrown: unknown) => end({ code: 0, reason: "", error: toParlourError(thrown) }),
    );
    return {
      send: (text) => socket?.send(text),
      close: () => {
        ended = true;
        stopTimer();
        abort.abort();
        socket?.close(1000);
      },
    };
  }

  /** `verified`: the server was just there, so that a failing socket says something about sockets. */
  async #signIn(signal: AbortSignal): Promise<{ url: string; protocols: string[]; verified: boolean }> {
    const { http, credentials, auth, deviceId } = this.#options;
    const query: Record<string, string> = deviceId === undefined ? {} : { device: deviceId };
    if (auth === "subprotocol") {
      const token = await credentials.token("connect", signal);
      if (token !== undefined) {
        return {
          url: http.socketUrl("/api/v1/ws", query),
          protocols: [PROTOCOL, "bearer", token],
          verified: true,
        };
      }
    }
    const { ticket } = await requestTicket(http, { signal });
    return { url: http.socketUrl("/api/v1/ws", { ...query, ticket }), protocols: [PROTOCOL], verified: true };
  }
}
