// An existing Django page of a lost-and-found board: it draws whatever arrives as a bubble, and is reloaded to reconnect.
import type { Host } from "../support/host.js";

export interface PlainFrame {
  readonly message: string;
  readonly sender_id: number | string;
  readonly sender_username: string;
  readonly timestamp: string;
  readonly message_id: number;
  readonly image?: string | null;
  readonly item_id?: number | null;
}

export interface Bubble {
  readonly text: string;
  readonly mine: boolean;
  readonly author: string;
  readonly time: string;
  readonly id: number;
  readonly image: string | null;
}

/** Somebody who sees that the page is dead reloads it after about this long. */
const RELOAD_MS = 3_000;

export interface PlainOptions {
  readonly me: number | string;
  readonly recipient: number | string;
  readonly conversation: number;
  readonly item?: number | null;
  /** How the page is told who calls: a cookie needs nothing here. */
  readonly query?: string;
  /** Whether the person reloads a dead page. */
  readonly reloads?: boolean;
}

/** The page. Each load begins with an empty one; a host may print the history into it, which is not this client's part. */
export class PlainPage {
  bubbles: Bubble[] = [];
  /** Every bubble that was drawn, over all loads. */
  readonly drawn: Bubble[] = [];
  loads = 0;
  /** Codes with which its sockets ended. */
  readonly codes: number[] = [];
  #socket: WebSocket | null = null;

  constructor(
    private readonly host: Host,
    private readonly options: PlainOptions,
  ) {
    this.load();
  }

  get shown(): string[] {
    return this.bubbles.map((bubble) => bubble.text);
  }

  /** As a browser does: the old page's socket is closed with it. */
  load(): void {
    const { conversation, query = "?dialect=plain" } = this.options;
    this.#socket?.close();
    this.bubbles = [];
    this.loads += 1;
    const socket = new this.host.WebSocket(`${this.host.ws}/ws/chat/${conversation}/${query}`);
    this.#socket = socket;
    socket.onmessage = (event) => {
      if (socket === this.#socket) this.#draw(JSON.parse(String(event.data)));
    };
    socket.onclose = (event) => {
      this.codes.push(event.code);
      if (socket === this.#socket && this.options.reloads) {
        this.host.timers.setTimeout(() => this.load(), RELOAD_MS);
      }
    };
  }

  /** Nothing is drawn until it comes back from the server. */
  send(message: string, image: string | null = null): void {
    const { me, recipient, item = null } = this.options;
    const frame = { message, sender_id: me, recipient_id: recipient, item_id: item, image };
    if (this.#socket?.readyState === this.#socket?.OPEN) this.#socket?.send(JSON.stringify(frame));
  }

  leave(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #draw(frame: PlainFrame): void {
    const bubble = {
      text: frame.message,
      mine: frame.sender_id === this.options.me,
      author: frame.sender_username,
      time: frame.timestamp,
      id: frame.message_id,
      image: frame.image ?? null,
    };
    this.bubbles.push(bubble);
    this.drawn.push(bubble);
  }
}
