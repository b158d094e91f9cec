// An existing Flutter client of a Laravel Reverb chat: the Pusher protocol by hand, its manager and its screen's handlers.
import type { Host } from "../support/host.js";

/** The three kinds of events that it knows, told apart by the `type` inside the data. */
export type ChatEvent =
  | { readonly type: "message"; readonly data: { readonly message: PusherMessage; readonly tempId?: string } }
  | {
      readonly type: "typing";
      readonly data: { readonly conversation_id: number; readonly user: PusherUser };
    }
  | {
      readonly type: "read";
      readonly data: {
        readonly conversation_id: number;
        readonly reader_id: number;
        readonly message_ids: readonly number[];
      };
    };

export interface PusherUser {
  readonly id: number | string;
  readonly name: string;
  readonly email: string;
}

export interface PusherMessage {
  readonly id: number;
  readonly conversation_id: number;
  readonly sender_id: number | string;
  readonly sender: PusherUser;
  readonly content: string;
  readonly created_at: string;
}

interface Frame {
  readonly event: string;
  readonly channel?: string;
  readonly data?: unknown;
}

const ATTEMPTS = 5;
const RECONNECT_MS = 3_000;

/** The socket: handshake, authorisation, subscription, pings, reconnection. */
export class FlutterSocket {
  socketId = "";
  attempts = 0;
  readonly events: ChatEvent[] = [];
  readonly errors: string[] = [];
  /** Names of events that it has no model for. */
  readonly ignored: string[] = [];
  subscribed = false;
  #ws: WebSocket | null = null;
  #disposed = false;

  constructor(
    private readonly host: Host,
    private readonly key: string,
    private readonly token: string,
    readonly channel: string,
  ) {}

  connect(): void {
    const address = `${this.host.ws}/app/${this.key}?protocol=7&client=flutter&version=1.0.0&flash=false`;
    const ws = new this.host.WebSocket(address);
    this.#ws = ws;
    ws.onmessage = (event) => void this.#handle(JSON.parse(String(event.data)) as Frame);
    ws.onclose = (event) => {
      this.subscribed = false;
      this.errors.push(`closed ${event.code}`);
      if (!this.#disposed) this.#reconnect();
    };
  }

  /** A `client-` event on the channel. The data goes out as an object. */
  trigger(event: string, data: object): void {
    this.#send({ event, channel: this.channel, data });
  }

  dispose(): void {
    this.#disposed = true;
    this.#ws?.close();
  }

  #send(frame: Frame): void {
    if (this.#ws?.readyState === this.#ws?.OPEN) this.#ws?.send(JSON.stringify(frame));
  }

  #reconnect(): void {
    if (this.attempts >= ATTEMPTS) {
      this.errors.push("gave up");
      return;
    }
    this.attempts += 1;
    this.host.timers.setTimeout(() => this.connect(), RECONNECT_MS);
  }

  async #handle(frame: Frame): Promise<void> {
    const data = typeof frame.data === "string" ? decoded(frame.data) : frame.data;
    switch (frame.event) {
      case "pusher:connection_established":
        this.socketId = (data as { socket_id: string }).socket_id;
        this.attempts = 0;
        await this.#subscribe();
        break;
      case "pusher_internal:subscription_succeeded":
        this.subscribed = true;
        break;
      case "pusher:ping":
        this.#send({ event: "pusher:pong", data: {} });
        break;
      case "pusher:error":
      case "pusher:subscription_error":
        this.errors.push(JSON.stringify(data));
        break;
      default:
        this.#event(frame.event, data as ChatEvent);
    }
  }

  #event(name: string, event: ChatEvent): void {
    if (["message", "typing", "read"].includes(event?.type)) this.events.push(event);
    else this.ignored.push(name);
  }

  async #subscribe(): Promise<void> {
    try {
      this.#send({
        event: "pusher:subscribe",
        data: { channel: this.channel, auth: await this.#authorize() },
      });
    } catch (thrown) {
      this.errors.push(String(thrown));
    }
  }

  async #authorize(): Promise<string> {
    const answer = await this.host.fetch("/broadcasting/auth", {
      method: "POST",
      headers: { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ channel_name: this.channel, socket_id: this.socketId }),
    });
    if (answer.status !== 200) throw new Error(`Failed to authorize channel: ${await answer.text()}`);
    return ((await answer.json()) as { auth: string }).auth;
  }
}

/** The screen of one conversation: sends over REST, and tells its own channel afterwards. */
export class FlutterScreen {
  readonly socket: FlutterSocket;

  constructor(
    private readonly host: Host,
    key: string,
    private readonly token: string,
    user: string,
    private readonly conversation: number,
  ) {
    this.socket = new FlutterSocket(host, key, token, `private-user.${user}`);
    this.socket.connect();
  }

  /** The messages of its conversation as it would list them, without a look at the ids. */
  get messages(): PusherMessage[] {
    return this.socket.events
      .flatMap((event) => (event.type === "message" ? [event.data.message] : []))
      .filter((message) => message.conversation_id === this.conversation);
  }

  get shown(): string[] {
    return this.messages.map((message) => message.content);
  }

  /** Names of everybody whom it has shown as typing: it knows no end of typing, each event is a start. */
  get typed(): string[] {
    return this.socket.events.flatMap((event) => (event.type === "typing" ? [event.data.user.name] : []));
  }

  get read(): number[] {
    return this.socket.events.flatMap((event) => (event.type === "read" ? [...event.data.message_ids] : []));
  }

  /** Sends over REST first, then echoes the message on its own channel, with its id. */
  async send(content: string, idField = "message_id"): Promise<number> {
    const answer = await this.host.fetch(`/api/v1/conversations/${this.conversation}/messages`, {
      method: "POST",
      headers: { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ content }),
    });
    if (!answer.ok) throw new Error(`Failed to send: ${await answer.text()}`);
    const { id } = (await answer.json()) as { id: number };
    this.socket.trigger("client-message", { content, [idField]: id });
    return id;
  }

  /** Tells that one types, but not where: its call names a channel and nothing else. */
  type(): void {
    this.socket.trigger("client-typing", {});
  }

  /** The same with the conversation, the one line that makes it reach somebody. */
  typeHere(is_typing = true): void {
    this.socket.trigger("client-typing", { conversation_id: this.conversation, is_typing });
  }

  dispose(): void {
    this.socket.dispose();
  }
}

function decoded(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
