// A value that can be watched: what every part of the SDK shows to a user interface.

/** What user interfaces read: the shape that `useSyncExternalStore` asks for. Both functions may be passed on without the object. */
export interface ReadableStore<T> {
  readonly getSnapshot: () => T;
  readonly subscribe: (listener: () => void) => () => void;
}

/** The writing side. Listeners are called once after each change of the value, never when it stays the same. */
export class Store<T> implements ReadableStore<T> {
  #value: T;
  readonly #listeners = new Set<() => void>();

  constructor(initial: T) {
    this.#value = initial;
  }

  readonly getSnapshot = (): T => this.#value;

  readonly subscribe = (listener: () => void): (() => void) => {
    // A wrapper, so that the same function may subscribe twice.
    const entry = (): void => listener();
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  };

  set(value: T): void {
    if (Object.is(value, this.#value)) {
      return;
    }
    this.#value = value;
    for (const listener of [...this.#listeners]) {
      if (this.#listeners.has(listener)) {
        listener();
      }
    }
  }

  update(change: (value: T) => T): void {
    this.set(change(this.#value));
  }
}

/** A view of other stores that is computed when asked and kept until one of its sources changes. */
export function derive<T>(sources: readonly ReadableStore<unknown>[], compute: () => T): ReadableStore<T> {
  let seen: readonly unknown[] | undefined;
  let value: T;
  return {
    getSnapshot: () => {
      const now = sources.map((source) => source.getSnapshot());
      if (seen === undefined || now.some((part, at) => !Object.is(part, seen?.[at]))) {
        value = compute();
        seen = now;
      }
      return value;
    },
    subscribe: (listener) => {
      const stops = sources.map((source) => source.subscribe(listener));
      return () => {
        for (const stop of stops) {
          stop();
        }
      };
    },
  };
}
