// Records in memory: for runtimes without a durable store, and for applications that ask for it.
import type { RecordStore } from "../platform.js";

export function memoryRecords(): RecordStore {
  const records = new Map<string, unknown>();
  return {
    list: async (prefix) =>
      [...records]
        .filter(([key]) => key.startsWith(prefix))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, value]) => ({ key, value: structuredClone(value) })),
    put: async (key, value) => {
      records.set(key, structuredClone(value));
    },
    delete: async (key) => {
      records.delete(key);
    },
  };
}
