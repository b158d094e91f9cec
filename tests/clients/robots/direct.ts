// An existing Flutter client of a Django Channels chat, one socket a user: its service and its screen, with their faults.
import type { Host, Timer } from "../support/host.js";

export interface DirectMessage {
  readonly id: number;
  readonly sender: number | string;
  readonly sender_username: string;
  readonly receiver: number | string;
  readonly receiver_username: string;
  readonly content: string;
  readonly created_at: string;
  readonly is_read: boolean;
}

interface Typing {
  readonly user_id: number | string;
  readonly is_typing: boolean;
}

const RECONNECT_MS = 5_000;
const TYPING_MS = 2_000;

/** The service under the screen. It knows a token and never sends it: the address is all that it dials. */
export class DirectService {
  #channel: WebSocket | null = null;

  constructor(
    private readonly host: Host,
    /** The address to dial; the client as documented has nothing but the path. */
    private readonly address: string,
    private readonly onMessage: (message: DirectMessage) => void,
    private readonly onTyping: (typing: Typing) => void,
  ) {}

  connect(): void {
    const channel = new this.host.WebSocket(this.address);
    this.#channel = channel;
    let opened = false;
    channel.onopen = () => {
      opened = true;
    };
    channel.onmessage = (event) => this.#receive(JSON.parse(String(event.data)));
    // A Dart stream tells a connection that never came about as an error and then as its end, and this client
    // dials again for each: every refused attempt doubles its sockets.
    channel.onerror = () => {
      if (!opened) this.host.timers.setTimeout(() => this.connect(), RECONNECT_MS);
    };
    channel.onclose = () => {
      this.host.timers.setTimeout(() => this.connect(), RECONNECT_MS);
    };
  }

  #receive(frame: { type: string; message: DirectMessage } & Typing): void {
    if (frame.type === "message") this.onMessage(frame.message);
    else if (frame.type === "typing") this.onTyping(frame);
  }

  /** Dart's sink takes what is added before the socket is open and sends it then. */
  add(frame: object): void {
    const channel = this.#channel;
    if (!channel) return;
    const text = JSON.stringify(frame);
    if (channel.readyState === channel.CONNECTING) channel.addEventListener("open", () => channel.send(text));
    else if (channel.readyState === channel.OPEN) channel.send(text);
  }

  /** Closes the socket. Its end is then heard as any other, and dialled again: the service outlives its screen. */
  disconnect(): void {
    this.#channel?.close();
    this.#channel = null;
  }
}

/** The screen of one conversation partner. It shows whatever arrives, whoever it is from. */
export class DirectScreen {
  /** What the list shows, the newest first. */
  messages: DirectMessage[] = [];
  isTyping = false;
  readonly #service: DirectService;
  #typingTimer: Timer | undefined;
  #mounted = true;

  constructor(
    private readonly host: Host,
    private readonly me: number | string,
    private readonly recipient: number | string,
    query = "?dialect=direct",
  ) {
    this.#service = new DirectService(
      host,
      `${host.ws}/ws/chat/${query}`,
      (message) => this.#setState(() => this.messages.unshift(message)),
      (typing) => {
        if (typing.user_id === this.recipient) this.#setState(() => this.#showTyping(typing.is_typing));
      },
    );
    this.#service.connect();
  }

  /** The texts on the screen, from the top of the history to the newest. */
  get shown(): string[] {
    return this.messages.map((message) => message.content).reverse();
  }

  /** What is under the title. */
  get subtitle(): string {
    return this.isTyping ? "typing..." : "";
  }

  /** A key in the text field. Every one is told. */
  type(): void {
    this.host.timers.clearTimeout(this.#typingTimer);
    this.#typing(true);
    this.#typingTimer = this.host.timers.setTimeout(() => this.#typing(false), TYPING_MS);
  }

  send(content: string): void {
    if (content === "") return;
    this.#service.add({ type: "message", receiver: this.recipient, content });
  }

  edit(id: number, content: string): void {
    this.#service.add({ type: "edit", id, content });
  }

  remove(id: number): void {
    this.#service.add({ type: "delete", id });
  }

  dispose(): void {
    this.#mounted = false;
    this.#service.disconnect();
    this.host.timers.clearTimeout(this.#typingTimer);
  }

  #showTyping(typing: boolean): void {
    this.isTyping = typing;
  }

  #typing(is_typing: boolean): void {
    this.#service.add({ type: "typing", receiver: this.recipient, is_typing });
  }

  #setState(change: () => void): void {
    if (!this.#mounted) return;
    change();
    this.#build();
  }

  /** Draws the list, and on the way marks as read, again at each drawing, whatever arrived unread. */
  #build(): void {
    for (const message of this.messages) {
      if (!message.is_read && message.sender !== this.me) {
        this.#service.add({ type: "read", message_ids: [message.id] });
      }
    }
  }
}
