// The only door to the environment: everything that is not pure computation goes through this interface.

/** Ends what it stands for; harmless when repeated. */
export type Stop = () => void;

export interface SocketHandlers {
  onOpen(): void;
  onMessage(text: string): void;
  onClose(code: number, reason: string): void;
}

export interface Socket {
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

/** A channel to the other tabs of the same origin. */
export interface Channel {
  post(message: unknown): void;
  close(): void;
}

/** One record of the durable store. */
export interface StoredRecord {
  readonly key: string;
  readonly value: unknown;
}

/** Records by key, in the order of keys. Every promise settles after the change is durable, as far as the environment can tell. */
export interface RecordStore {
  /** The records whose key begins with `prefix`. */
  list(prefix: string): Promise<readonly StoredRecord[]>;
  put(key: string, value: unknown): Promise<void>;
  delete(key: string): Promise<void>;
}

export interface Platform {
  /** Milliseconds since 1970. */
  now(): number;
  /** At least 0, below 1. */
  random(): number;
  uuid(): string;
  /** Calls once after `ms`. */
  after(ms: number, callback: () => void): Stop;
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Opens a WebSocket; handlers are never called before this returns. `null`: there are no WebSockets here. */
  openSocket(url: string, protocols: readonly string[], handlers: SocketHandlers): Socket | null;
  /** The page's address, to resolve relative URLs; `null` outside a page. */
  baseUrl(): string | null;
  isOnline(): boolean;
  isVisible(): boolean;
  /** `callback` is called when `isOnline` or `isVisible` may have changed. */
  watch(callback: () => void): Stop;
  /** A durable store; `null` where there is none, then memory serves. */
  openRecords(name: string): Promise<RecordStore | null>;
  /** Runs `task` while no other tab holds `name`; waits for that until `signal` aborts. */
  withLock(name: string, signal: AbortSignal, task: () => Promise<void>): Promise<void>;
  openChannel(name: string, onMessage: (message: unknown) => void): Channel;
}
