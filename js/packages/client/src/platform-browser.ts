// The browser (and Node) as a Platform. Nothing is touched before it is used, so that a server can import the package.
import type { Channel, Platform, RecordStore, SocketHandlers, Stop } from "./platform.js";

const RECORDS = "records";

export function browserPlatform(): Platform {
  return {
    now: () => Date.now(),
    random: () => Math.random(),
    uuid,
    after(ms, callback) {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    fetch: (url, init) => globalThis.fetch(url, init),
    openSocket,
    baseUrl: () => globalThis.location?.href ?? null,
    isOnline: () => globalThis.navigator?.onLine !== false,
    isVisible: () => globalThis.document === undefined || globalThis.document.visibilityState !== "hidden",
    watch,
    openRecords,
    withLock,
    openChannel,
  };
}

/** `crypto.randomUUID` exists on secure pages only; random bytes exist everywhere. */
function uuid(): string {
  if (typeof globalThis.crypto.randomUUID === "function") {
    return globalThis.crypto.randomUUID();
  }
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function openSocket(url: string, protocols: readonly string[], handlers: SocketHandlers) {
  if (typeof globalThis.WebSocket !== "function") {
    return null;
  }
  const socket = new globalThis.WebSocket(url, [...protocols]);
  socket.onopen = () => handlers.onOpen();
  socket.onmessage = (event) => {
    if (typeof event.data === "string") {
      handlers.onMessage(event.data);
    }
  };
  socket.onclose = (event) => handlers.onClose(event.code, event.reason);
  return {
    send: (text: string) => socket.send(text),
    close: (code?: number, reason?: string) => socket.close(code, reason),
  };
}

function watch(callback: () => void): Stop {
  const page = globalThis.document;
  if (typeof globalThis.addEventListener !== "function") {
    return () => undefined;
  }
  globalThis.addEventListener("online", callback);
  globalThis.addEventListener("offline", callback);
  globalThis.addEventListener("pageshow", callback);
  page?.addEventListener("visibilitychange", callback);
  return () => {
    globalThis.removeEventListener("online", callback);
    globalThis.removeEventListener("offline", callback);
    globalThis.removeEventListener("pageshow", callback);
    page?.removeEventListener("visibilitychange", callback);
  };
}

async function withLock(name: string, signal: AbortSignal, task: () => Promise<void>): Promise<void> {
  const locks = globalThis.navigator?.locks;
  if (locks === undefined) {
    return task();
  }
  await locks.request(name, { signal }, () => task());
}

function openChannel(name: string, onMessage: (message: unknown) => void): Channel {
  // Node has BroadcastChannel too, but an open one keeps the process alive.
  if (typeof globalThis.BroadcastChannel !== "function" || globalThis.document === undefined) {
    return { post: () => undefined, close: () => undefined };
  }
  const channel = new globalThis.BroadcastChannel(name);
  channel.onmessage = (event) => onMessage(event.data);
  return { post: (message) => channel.postMessage(message), close: () => channel.close() };
}

async function openRecords(name: string): Promise<RecordStore | null> {
  const factory = globalThis.indexedDB;
  if (factory === undefined) {
    return null;
  }
  try {
    return indexedDbRecords(await openDatabase(factory, name));
  } catch {
    // Private windows of some browsers refuse: memory serves then.
    return null;
  }
}

function openDatabase(factory: IDBFactory, name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(RECORDS);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("the database is blocked"));
  });
}

function indexedDbRecords(database: IDBDatabase): RecordStore {
  const write = (change: (store: IDBObjectStore) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      const transaction = database.transaction(RECORDS, "readwrite", { durability: "strict" });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      transaction.onerror = () => reject(transaction.error);
      change(transaction.objectStore(RECORDS));
    });
  return {
    list: (prefix) =>
      new Promise((resolve, reject) => {
        const found: { key: string; value: unknown }[] = [];
        const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
        const request = database.transaction(RECORDS).objectStore(RECORDS).openCursor(range);
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
          const cursor = request.result;
          if (cursor === null) {
            resolve(found);
            return;
          }
          found.push({ key: String(cursor.key), value: cursor.value });
          cursor.continue();
        };
      }),
    put: (key, value) => write((store) => store.put(value, key)),
    delete: (key) => write((store) => store.delete(key)),
  };
}
