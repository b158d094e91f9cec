// The world that a robot lives in: a WebSocket and a fetch as a browser has them, and timers that can be shortened.
import WebSocketOfNode from "ws";

export type Timer = ReturnType<typeof setTimeout>;

export interface Timers {
  setTimeout(run: () => void, ms?: number): Timer;
  clearTimeout(timer: Timer | undefined): void;
  setInterval(run: () => void, ms?: number): Timer;
  clearInterval(timer: Timer | undefined): void;
}

/** A frame of the dialects: a type, and what it has. */
export interface Frame {
  readonly type?: string;
  readonly [field: string]: unknown;
}

export interface HostOptions {
  /** `name=value`, sent with sockets and requests as a browser does, with the server's own origin. */
  readonly cookie?: string;
  /** How many times faster than the clock the timers run. */
  readonly speed?: number;
  /** Addresses that a document has written in its code, and what stands for them. */
  readonly rewrite?: readonly (readonly [string, string])[];
}

/** What one client sees of the network, and what is needed to end it: some clients never end by themselves. */
export class Host {
  readonly http: string;
  readonly ws: string;
  readonly timers: Timers;
  readonly WebSocket: typeof WebSocket;
  /** Every socket that was opened, in order. */
  readonly sockets: WebSocketOfNode[] = [];
  /** Every frame that any of them received, in order. */
  readonly frames: unknown[] = [];
  /** How each that has ended did: its close code. */
  readonly closes: number[] = [];
  /** Every frame that any of them sent. */
  readonly sent: unknown[] = [];
  /** Durable frames that came since the server's last ping. */
  #unproved = 0;
  readonly #timers = new Set<Timer>();
  readonly #options: HostOptions;
  #ended = false;

  constructor(http: string, options: HostOptions = {}) {
    this.http = http;
    this.ws = http.replace(/^http/, "ws");
    this.#options = options;
    this.timers = this.#clock(options.speed ?? 20);
    this.WebSocket = this.#socketClass();
  }

  /** Sockets that are open now. */
  get open(): number {
    return this.sockets.filter((socket) => socket.readyState === WebSocketOfNode.OPEN).length;
  }

  /** `fetch`, with the cookie and relative addresses. */
  readonly fetch = (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (this.#options.cookie) headers.set("cookie", this.#options.cookie);
    const target = input instanceof Request ? input : new URL(this.#address(String(input)), this.http);
    return fetch(target, { ...init, headers });
  };

  /** The frames received of a type, in order. */
  received(type: string): Frame[] {
    return (this.frames as Frame[]).filter((frame) => frame?.type === type);
  }

  /**
   * Waits until the server knows that every message so far has arrived: it has pinged since, and has heard the pong, for
   * it has answered a ping that was sent after that.
   */
  async proved(): Promise<void> {
    while (this.#unproved > 0) await new Promise((next) => setTimeout(next, 10));
    const socket = this.sockets.at(-1);
    const answered = new Promise((done) => socket?.once("pong", done));
    socket?.ping();
    await answered;
  }

  #receive(frame: unknown): void {
    this.frames.push(frame);
    if (isDurable(frame as Frame)) this.#unproved += 1;
  }

  /** Ends everything: timers that would go on for ever, sockets, and what would be opened later. */
  end(): void {
    this.#ended = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.sockets) socket.terminate();
  }

  #address(url: string): string {
    return (this.#options.rewrite ?? []).reduce((text, [from, to]) => text.replace(from, to), url);
  }

  #clock(speed: number): Timers {
    const keep = (timer: Timer): Timer => {
      this.#timers.add(timer);
      return timer;
    };
    const forget = (timer: Timer | undefined): void => {
      if (timer === undefined) return;
      this.#timers.delete(timer);
      clearTimeout(timer);
    };
    const unlessEnded = (run: () => void) => (): void => {
      if (!this.#ended) run();
    };
    return {
      setTimeout: (run, ms = 0) => keep(setTimeout(unlessEnded(run), ms / speed)),
      setInterval: (run, ms = 0) => keep(setInterval(unlessEnded(run), ms / speed)),
      clearTimeout: forget,
      clearInterval: forget,
    };
  }

  #socketClass(): typeof WebSocket {
    const host = this;
    const headers = host.#options.cookie ? { cookie: host.#options.cookie, origin: host.http } : {};
    // Node 20 has a WebSocket of its own, but it tells nothing of a refused upgrade but `error`; `ws` does as browsers do.
    class HostSocket extends WebSocketOfNode {
      constructor(url: string | URL, protocols?: string | string[]) {
        if (host.#ended) throw new Error("this client has ended");
        super(host.#address(String(url)), protocols, { headers });
        host.sockets.push(this);
        // Without a listener Node would end the process.
        this.on("error", () => {});
        this.on("close", (code) => host.closes.push(code));
        this.on("ping", () => {
          host.#unproved = 0;
        });
        this.on("message", (data) => host.#receive(parsed(String(data))));
      }

      override send(data: Parameters<WebSocketOfNode["send"]>[0]): void {
        host.sent.push(parsed(String(data)));
        super.send(data);
      }
    }
    return HostSocket as unknown as typeof WebSocket;
  }
}

/** Whether a frame tells a message or a change of one, in whatever dialect. */
function isDurable({ type, event, message_id }: Frame): boolean {
  if (typeof event === "string") return event.startsWith("Message") && event !== "MessagesReadEvent";
  if (type === undefined) return message_id !== undefined;
  return /^(new_message|chat_message|message|message_edited|message_deleted|edited|deleted)$/.test(
    String(type),
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
