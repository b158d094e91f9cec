// A host application as a Laravel or Rails product is one for Pusher: it signs channels and users, and takes webhooks.
import { createServer, type IncomingMessage, type Server as Listener, type ServerResponse } from "node:http";
import Pusher from "pusher";
import { APP, type Server } from "./server.js";

export interface WebhookEvent {
  readonly name: string;
  readonly channel: string;
  readonly user_id?: string;
  readonly event?: string;
  readonly data?: string;
}

const MASTER_KEY = Buffer.alloc(32, 7).toString("base64");

/** The server SDK, set up for a server of the kit. */
export function sdk(server: Server, app: { id: string; key: string; secret: string } = APP): Pusher {
  return new Pusher({
    appId: app.id,
    key: app.key,
    secret: app.secret,
    host: "127.0.0.1",
    port: String(server.port),
    useTLS: false,
    encryptionMasterKeyBase64: MASTER_KEY,
  });
}

export class Application {
  readonly #listener: Listener;
  #url = "";
  #sdk: Pusher | null = null;
  /** What webhooks told, in order, once their signature was found right. */
  readonly webhooks: WebhookEvent[] = [];
  /** Webhooks whose signature was wrong. */
  forged = 0;
  /** How many of the next webhooks are answered with a failure. */
  failing = 0;

  private constructor() {
    this.#listener = createServer((request, answer) => void this.#answer(request, answer));
  }

  static async start(): Promise<Application> {
    const application = new Application();
    await new Promise<void>((done) => application.#listener.listen(0, "127.0.0.1", done));
    const address = application.#listener.address();
    const port = typeof address === "object" && address ? address.port : 0;
    application.#url = `http://127.0.0.1:${port}`;
    return application;
  }

  get url(): string {
    return this.#url;
  }

  /** The server whose channels it signs. */
  use(server: Server): void {
    this.#sdk = sdk(server);
  }

  /** How pusher-js asks it: the user is named in a header, where a product has its session. */
  options(user: string): object {
    const headers = { "x-user": user };
    return {
      channelAuthorization: { endpoint: `${this.#url}/auth`, transport: "ajax", headers },
      userAuthentication: { endpoint: `${this.#url}/user-auth`, transport: "ajax", headers },
    };
  }

  async close(): Promise<void> {
    this.#listener.closeAllConnections();
    await new Promise((done) => this.#listener.close(done));
  }

  async #answer(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const reply = (status: number, value: object): void => {
      answer.writeHead(status, { "content-type": "application/json" });
      answer.end(JSON.stringify(value));
    };
    if (request.url === "/webhooks") reply(this.#webhook(request, body), {});
    else reply(200, this.#sign(request, new URLSearchParams(body)));
  }

  #sign(request: IncomingMessage, form: URLSearchParams): object {
    const user = String(request.headers["x-user"]);
    const socket = form.get("socket_id") ?? "";
    const info = { name: `user ${user}` };
    if (request.url === "/user-auth") {
      return this.#pusher.authenticateUser(socket, {
        id: user,
        user_info: info,
        watchlist: ["watched", "other"],
      });
    }
    const channel = form.get("channel_name") ?? "";
    return channel.startsWith("presence-")
      ? this.#pusher.authorizeChannel(socket, channel, { user_id: user, user_info: info })
      : this.#pusher.authorizeChannel(socket, channel);
  }

  #webhook(request: IncomingMessage, rawBody: string): number {
    if (this.failing > 0) {
      this.failing -= 1;
      return 500;
    }
    const webhook = this.#pusher.webhook({ headers: request.headers, rawBody });
    if (!webhook.isValid()) {
      this.forged += 1;
      return 401;
    }
    this.webhooks.push(...(webhook.getEvents() as WebhookEvent[]));
    return 200;
  }

  get #pusher(): Pusher {
    if (!this.#sdk) throw new Error("the application has no server yet");
    return this.#sdk;
  }
}
