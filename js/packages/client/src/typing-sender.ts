// One's own typing on its way out: told at the first key, repeated every 3 s while it lasts, ended after a pause.
import type { Platform, Stop } from "./platform.js";

const REPEAT_MS = 3_000;
const IDLE_MS = 5_000;

export class TypingSender {
  readonly #platform: Platform;
  readonly #send: (active: boolean) => void;
  #toldAt: number | null = null;
  #stopIdle: Stop | null = null;

  constructor(platform: Platform, send: (active: boolean) => void) {
    this.#platform = platform;
    this.#send = send;
  }

  set(active: boolean): void {
    this.#stopIdle?.();
    this.#stopIdle = null;
    if (!active) {
      if (this.#toldAt !== null) {
        this.#toldAt = null;
        this.#send(false);
      }
      return;
    }
    this.#stopIdle = this.#platform.after(IDLE_MS, () => this.set(false));
    const now = this.#platform.now();
    if (this.#toldAt === null || now - this.#toldAt >= REPEAT_MS) {
      this.#toldAt = now;
      this.#send(true);
    }
  }

  /** A message was sent: that ends it at the server too, without a word. */
  sent(): void {
    this.#stopIdle?.();
    this.#stopIdle = null;
    this.#toldAt = null;
  }
}
