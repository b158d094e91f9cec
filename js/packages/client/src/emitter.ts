// Typed events: what `client.on` is made of.
import type { ClientEvents } from "./api.js";

type Listener<K extends keyof ClientEvents> = (event: ClientEvents[K]) => void;

export class Emitter {
  readonly #listeners = new Map<keyof ClientEvents, Set<Listener<never>>>();

  on<K extends keyof ClientEvents>(type: K, listener: Listener<K>): () => void {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners);
    const entry: Listener<K> = (event) => listener(event);
    listeners.add(entry as Listener<never>);
    return () => {
      listeners.delete(entry as Listener<never>);
    };
  }

  /** A listener that throws must not keep the others, or the SDK, from going on. */
  emit<K extends keyof ClientEvents>(type: K, event: ClientEvents[K]): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        (listener as Listener<K>)(event);
      } catch (thrown) {
        queueMicrotask(() => {
          throw thrown;
        });
      }
    }
  }
}
