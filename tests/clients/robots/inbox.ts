// An existing web client of a Django Channels inbox: one socket a user, five attempts, then polling.
import type { Host, Timer } from "../support/host.js";

export interface InboxMessage {
  readonly message_id: number;
  readonly conversation_id: number;
  readonly sender_id: number | string;
  readonly sender_name: string;
  readonly text: string;
  readonly created_at: string;
  readonly client_id?: string | null;
}

interface Frame extends InboxMessage {
  readonly type: string;
  readonly message_ids: readonly number[];
  readonly user_id: number | string;
  readonly username: string;
  readonly is_typing: boolean;
}

const ATTEMPTS = 5;
const POLL_MS = 5_000;
const TYPING_MS = 1_000;

export class InboxClient {
  /** Messages in the order in which they were displayed, those of the poll included. */
  displayed: InboxMessage[] = [];
  /** The status shown at a message: delivered, read. */
  readonly status = new Map<number, string>();
  /** Who is shown as typing. */
  readonly typing = new Set<string>();
  /** Types of frames that it does not know and only logs. */
  readonly unknown: string[] = [];
  /** How the polling went: the status of each answer. */
  readonly polls: number[] = [];
  attempts = 0;
  polling = false;
  #ws: WebSocket | null = null;
  #typingTimer: Timer | undefined;

  constructor(
    private readonly host: Host,
    private readonly token: string,
    private readonly query = "",
  ) {}

  get shown(): string[] {
    return this.displayed.map((message) => message.text);
  }

  connect(): void {
    const ws = new this.host.WebSocket(`${this.host.ws}/ws/chat/?token=${this.token}${this.query}`);
    this.#ws = ws;
    ws.onopen = () => {
      // The count is for failures in a row: a server that accepted first and refused then would be asked for ever.
      this.attempts = 0;
    };
    ws.onmessage = (event) => this.#handle(JSON.parse(String(event.data)));
    ws.onclose = () => this.#reconnect();
  }

  sendMessage(conversation: number | null, receiver: number | string, text: string): void {
    this.#send({ type: "chat_message", conversation_id: conversation, receiver_id: receiver, text });
  }

  /** A key in the input field: typing now, and no more after a second without a key. */
  type(conversation: number, receiver: number | string): void {
    const tell = (is_typing: boolean): void =>
      this.#send({
        type: "typing_indicator",
        conversation_id: conversation,
        receiver_id: receiver,
        is_typing,
      });
    tell(true);
    this.host.timers.clearTimeout(this.#typingTimer);
    this.#typingTimer = this.host.timers.setTimeout(() => tell(false), TYPING_MS);
  }

  join(conversation: number): void {
    this.#send({ type: "join_conversation", conversation_id: conversation });
  }

  leave(conversation: number): void {
    this.#send({ type: "leave_conversation", conversation_id: conversation });
  }

  /** Closes the socket; the client comes back all the same, for it cannot tell its own closing from another. */
  disconnect(): void {
    this.#ws?.close();
  }

  /** Frames that this client was never given a method for. */
  sendRaw(frame: object): void {
    this.#send(frame);
  }

  #send(frame: object): void {
    if (this.#ws?.readyState === this.#ws?.OPEN) this.#ws?.send(JSON.stringify(frame));
  }

  #handle(frame: Frame): void {
    switch (frame.type) {
      case "connection_established":
        break;
      case "new_message":
        this.displayed.push(frame);
        // Everything that arrives is read, what one said oneself in another tab too.
        this.#send({ type: "read_receipt", message_ids: [frame.message_id] });
        break;
      case "typing_indicator":
        if (frame.is_typing) this.typing.add(frame.username);
        else this.typing.delete(frame.username);
        break;
      case "read_receipt":
        for (const id of frame.message_ids) this.status.set(id, "read");
        break;
      case "message_sent":
        this.status.set(frame.message_id, "delivered");
        break;
      default:
        this.unknown.push(frame.type);
    }
  }

  #reconnect(): void {
    if (this.attempts >= ATTEMPTS) {
      this.#poll();
      return;
    }
    this.attempts += 1;
    const delay = Math.min(1_000 * 2 ** this.attempts, 30_000);
    this.host.timers.setTimeout(() => this.connect(), delay);
  }

  /** The page asks with what the browser adds by itself: the cookie. */
  #poll(): void {
    this.polling = true;
    this.host.timers.setInterval(() => {
      void this.#askForUnread();
    }, POLL_MS);
  }

  async #askForUnread(): Promise<void> {
    try {
      const answer = await this.host.fetch("/api/v1/messages/unread/");
      this.polls.push(answer.status);
      if (!answer.ok) return;
      const page = (await answer.json()) as { results: InboxMessage[] };
      const known = new Set(this.displayed.map((message) => message.message_id));
      this.displayed.push(...page.results.filter((message) => !known.has(message.message_id)));
    } catch {
      this.polls.push(0);
    }
  }
}
