// Notices a dead connection: asks when nothing has arrived for a while, and gives up when nothing comes back.
import type { Platform, Stop } from "../platform.js";

const ANSWER_MS = 10_000;

interface HeartbeatOptions {
  readonly platform: Platform;
  readonly quietMs: number;
  readonly ask: () => void;
  readonly dead: () => void;
}

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #heardAt: number;
  #askedAt: number | null = null;
  #stop: Stop | null = null;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#heardAt = options.platform.now();
    this.#wait(options.quietMs);
  }

  /** Something has arrived. */
  heard(): void {
    this.#heardAt = this.#options.platform.now();
    if (this.#askedAt !== null) {
      this.#askedAt = null;
      this.#wait(this.#options.quietMs);
    }
  }

  /** Asks now: the device has woken, or the network has changed. */
  probe(): void {
    if (this.#stop !== null && this.#askedAt === null) {
      this.#ask();
    }
  }

  stop(): void {
    this.#stop?.();
    this.#stop = null;
  }

  #wait(ms: number): void {
    this.#stop?.();
    this.#stop = this.#options.platform.after(ms, () => this.#due());
  }

  #due(): void {
    const quiet = this.#options.platform.now() - this.#heardAt;
    if (this.#askedAt !== null) {
      this.#stop = null;
      this.#options.dead();
    } else if (quiet >= 0 && quiet < this.#options.quietMs) {
      this.#wait(this.#options.quietMs - quiet);
    } else {
      this.#ask();
    }
  }

  #ask(): void {
    this.#askedAt = this.#options.platform.now();
    this.#wait(ANSWER_MS);
    this.#options.ask();
  }
}
