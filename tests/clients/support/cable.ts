// A cable: a TCP proxy between a client and the server, to cut real connections and to keep clients out.
import { connect, createServer, type Server as Listener, type Socket } from "node:net";

export class Cable {
  readonly #listener: Listener;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #open = true;
  #port = 0;
  /** How many connections were let through so far. */
  accepted = 0;

  private constructor(readonly target: number) {
    this.#listener = createServer((socket) => this.#join(socket));
  }

  static async to(target: number): Promise<Cable> {
    const cable = new Cable(target);
    await new Promise<void>((done) => cable.#listener.listen(0, "127.0.0.1", done));
    const address = cable.#listener.address();
    cable.#port = typeof address === "object" && address ? address.port : 0;
    return cable;
  }

  get http(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Connections that are open now. */
  get live(): number {
    return this.#pairs.size;
  }

  /** Cuts every connection with a reset: neither side gets a close frame. */
  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** As `cut`, and new connections fail until `heal`. */
  sever(): void {
    this.#open = false;
    this.cut();
  }

  heal(): void {
    this.#open = true;
  }

  async close(): Promise<void> {
    this.sever();
    await new Promise((done) => this.#listener.close(done));
  }

  #join(near: Socket): void {
    near.on("error", () => near.destroy());
    if (!this.#open) {
      near.resetAndDestroy();
      return;
    }
    this.accepted += 1;
    const far = connect(this.target, "127.0.0.1");
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    far.on("error", () => near.destroy());
    for (const [one, other] of [pair, [far, near] as const]) {
      one.setNoDelay(true);
      one.pipe(other);
      one.on("close", () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
  }
}
