// Reads a store of the SDK, and renders again when it changes.
import type { ReadableStore } from "@parlour/client";
import { useSyncExternalStore } from "react";

export function useStore<T>(store: ReadableStore<T>): T {
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
}
