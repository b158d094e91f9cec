// A clock that tests turn by hand: timers run in order, and everything that follows from one settles before the next.
import type { Stop } from "../src/platform.js";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

export class FakeClock {
  #now = Date.parse("2026-01-01T00:00:00.000Z");
  #timers = new Set<Timer>();
  #order = 0;

  get now(): number {
    return this.#now;
  }

  get iso(): string {
    return new Date(this.#now).toISOString();
  }

  after(ms: number, callback: () => void): Stop {
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** How many timers wait: none may be left when everything was closed. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Lets pass so much time, timer by timer. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const next = [...this.#timers]
        .filter((timer) => timer.at <= end)
        .sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (next === undefined) {
        break;
      }
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await settle();
    }
    this.#now = end;
  }

  /** The wall clock jumps; timers keep their distance. */
  jump(ms: number): void {
    this.#now += ms;
    this.#timers = new Set([...this.#timers].map((timer) => ({ ...timer, at: timer.at + ms })));
  }
}

/** Until all promises that can go on have gone on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
