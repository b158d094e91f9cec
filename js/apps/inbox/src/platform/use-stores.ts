// Watches many stores of the SDK as one value: a list that is a new one only when one of them has changed.
import type { ReadableStore } from "@parlour/client";
import { useMemo, useSyncExternalStore } from "preact/compat";

export function useStores<T>(stores: readonly ReadableStore<T>[]): readonly T[] {
  const joined = useMemo(() => join(stores), [stores]);
  return useSyncExternalStore(joined.subscribe, joined.getSnapshot);
}

function join<T>(stores: readonly ReadableStore<T>[]): ReadableStore<readonly T[]> {
  let last: readonly T[] = stores.map((store) => store.getSnapshot());
  return {
    getSnapshot: () => {
      const now = stores.map((store) => store.getSnapshot());
      if (now.some((value, at) => !Object.is(value, last[at]))) last = now;
      return last;
    },
    subscribe: (listener) => {
      const stops = stores.map((store) => store.subscribe(listener));
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}
