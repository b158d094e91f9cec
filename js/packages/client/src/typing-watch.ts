// Who is writing where, as the server tells it; entries that are not repeated end by themselves.
import type { Platform, Stop } from "./platform.js";
import type { TypingEvent } from "./protocol/events.js";
import { type ReadableStore, Store } from "./state/store.js";
import { applyTyping, nextSweep, stopTyping, sweepTyping, type TypingState } from "./state/typing.js";

export class TypingWatch {
  readonly #platform: Platform;
  readonly #me: () => string;
  readonly #state = new Store<TypingState>(new Map());
  #stop: Stop | null = null;

  constructor(platform: Platform, me: () => string) {
    this.#platform = platform;
    this.#me = me;
  }

  get state(): ReadableStore<TypingState> {
    return this.#state;
  }

  heard(event: TypingEvent): void {
    this.#state.update((state) => applyTyping(state, event, this.#platform.now(), this.#me()));
    this.#schedule();
  }

  ended(conversation: number, userId: string): void {
    this.#state.update((state) => stopTyping(state, conversation, userId));
  }

  clear(): void {
    this.#stop?.();
    this.#stop = null;
    this.#state.set(new Map());
  }

  #schedule(): void {
    this.#stop?.();
    const due = nextSweep(this.#state.getSnapshot());
    if (due === null) {
      this.#stop = null;
      return;
    }
    this.#stop = this.#platform.after(Math.max(0, due - this.#platform.now()), () => {
      this.#state.update((state) => sweepTyping(state, this.#platform.now()));
      this.#schedule();
    });
  }
}
