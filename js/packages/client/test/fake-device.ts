// A device with tabs: what tabs share (storage, locks, channels) and what is a tab's own (timers, sockets, network).
import type { Channel, Platform, RecordStore, Socket, SocketHandlers } from "../src/platform.js";
import type { FakeClock } from "./fake-clock.js";
import type { FakeServer } from "./fake-server.js";

/** How long a frame or request is on its way. */
const LATENCY_MS = 5;

interface Waiting {
  readonly start: () => void;
}

/** Survives the tabs. */
export class FakeDevice {
  readonly records = new Map<string, Map<string, unknown>>();
  readonly channels = new Set<{ name: string; tab: FakeTab; onMessage: (message: unknown) => void }>();
  readonly locks = new Map<string, Waiting[]>();
  readonly server: FakeServer;

  constructor(server: FakeServer) {
    this.server = server;
  }

  openTab(): FakeTab {
    return new FakeTab(this, this.server.clock);
  }
}

export class FakeTab {
  readonly #device: FakeDevice;
  readonly #clock: FakeClock;
  readonly #sockets = new Set<FakeSocket>();
  readonly #watchers = new Set<() => void>();
  readonly #requests = new Set<AbortController>();
  #closed = false;
  #online = true;
  #visible = true;
  #uuid = 0;
  /** What `random` gives; tests set it to reach either end of the jitter. */
  random = 0.5;
  /** Sockets fail to open, as behind some proxies. */
  blockWebSockets = false;
  /** Neither requests nor frames get through, and nobody is told: a dead network. */
  blackHole = false;
  /** Requests fail at once. */
  unreachable = false;
  /** Addresses that were asked for, without their query. */
  readonly asked: string[] = [];

  constructor(device: FakeDevice, clock: FakeClock) {
    this.#device = device;
    this.#clock = clock;
  }

  get platform(): Platform {
    return {
      now: () => this.#clock.now,
      random: () => this.random,
      uuid: () => `id-${this.#device.server.nextUuid()}-${this.#uuid++}`,
      after: (ms, callback) => this.#clock.after(ms, () => this.#alive(callback)),
      fetch: (url, init) => this.#fetch(url, init),
      openSocket: (url, protocols, handlers) => this.#openSocket(url, protocols, handlers),
      baseUrl: () => null,
      isOnline: () => this.#online,
      isVisible: () => this.#visible,
      watch: (callback) => {
        this.#watchers.add(callback);
        return () => {
          this.#watchers.delete(callback);
        };
      },
      openRecords: async (name) => this.#records(name),
      withLock: (name, signal, task) => this.#withLock(name, signal, task),
      openChannel: (name, onMessage) => this.#openChannel(name, onMessage),
    };
  }

  /** The network goes or comes, and the tab is told. */
  setOnline(online: boolean): void {
    this.#online = online;
    if (!online) {
      this.cut();
    }
    this.#notify();
  }

  setVisible(visible: boolean): void {
    this.#visible = visible;
    this.#notify();
  }

  /** All connections break, as when a network changes. */
  cut(): void {
    for (const socket of [...this.#sockets]) {
      socket.breakOff();
    }
    for (const request of [...this.#requests]) {
      request.abort();
    }
  }

  get openSockets(): number {
    return this.#sockets.size;
  }

  /** The tab is gone: nothing of it runs any more, its locks are free. */
  close(): void {
    this.cut();
    this.#closed = true;
    for (const channel of [...this.#device.channels]) {
      if (channel.tab === this) {
        this.#device.channels.delete(channel);
      }
    }
    for (const release of [...this.#held]) {
      release();
    }
  }

  readonly #held = new Set<() => void>();

  #alive(callback: () => void): void {
    if (!this.#closed) {
      callback();
    }
  }

  #notify(): void {
    for (const watcher of [...this.#watchers]) {
      this.#alive(watcher);
    }
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    this.asked.push(`${init.method ?? "GET"} ${new URL(url).pathname}`);
    const abort = new AbortController();
    this.#requests.add(abort);
    init.signal?.addEventListener("abort", () => abort.abort());
    const broken = new Promise<never>((_resolve, reject) => {
      abort.signal.addEventListener("abort", () => reject(new TypeError("broken off")));
    });
    const never = new Promise<never>(() => undefined);
    try {
      await Promise.race([this.#travel(), broken]);
      if (this.unreachable || !this.#online) {
        throw new TypeError("unreachable");
      }
      if (this.blackHole) {
        await Promise.race([never, broken]);
      }
      const response = await Promise.race([this.#device.server.handle(url, init, abort.signal), broken]);
      await Promise.race([this.#travel(), broken]);
      return response;
    } finally {
      if (
        init.headers === undefined ||
        !("accept" in init.headers) ||
        init.headers.accept !== "text/event-stream"
      ) {
        this.#requests.delete(abort);
      }
      if (this.#closed) {
        await never;
      }
    }
  }

  #travel(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(LATENCY_MS, resolve);
    });
  }

  #openSocket(url: string, protocols: readonly string[], handlers: SocketHandlers): Socket {
    const socket = new FakeSocket({
      clock: this.#clock,
      deaf: () => this.blackHole || this.#closed,
      handlers: {
        onOpen: () => this.#alive(() => handlers.onOpen()),
        onMessage: (text) => this.#alive(() => handlers.onMessage(text)),
        onClose: (code, reason) => {
          this.#sockets.delete(socket);
          this.#alive(() => handlers.onClose(code, reason));
        },
      },
    });
    this.#sockets.add(socket);
    this.#clock.after(LATENCY_MS, () => {
      if (this.blockWebSockets || this.unreachable || !this.#online) {
        socket.breakOff();
      } else if (!this.blackHole) {
        this.#device.server.accept(socket, url, protocols);
      }
    });
    return socket;
  }

  #records(name: string): RecordStore {
    const records = this.#device.records.get(name) ?? new Map<string, unknown>();
    this.#device.records.set(name, records);
    const wait = async (): Promise<void> => {
      await this.#travelInside();
      if (this.#closed) {
        // The process is gone: neither done nor answered.
        await new Promise(() => undefined);
      }
    };
    return {
      list: async (prefix) => {
        await wait();
        return [...records]
          .filter(([key]) => key.startsWith(prefix))
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, value]) => ({ key, value: structuredClone(value) }));
      },
      put: async (key, value) => {
        await wait();
        records.set(key, structuredClone(value));
      },
      delete: async (key) => {
        await wait();
        records.delete(key);
      },
    };
  }

  #travelInside(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(1, resolve);
    });
  }

  #withLock(name: string, signal: AbortSignal, task: () => Promise<void>): Promise<void> {
    const queue = this.#device.locks.get(name) ?? [];
    this.#device.locks.set(name, queue);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        const at = queue.indexOf(waiting);
        if (at >= 0) {
          queue.splice(at, 1);
          if (at === 0) {
            queue[0]?.start();
          }
        }
        this.#held.delete(leave);
      };
      const waiting: Waiting = {
        start: () => {
          if (this.#closed) {
            leave();
            return;
          }
          signal.removeEventListener("abort", onAbort);
          task().then(
            () => {
              leave();
              resolve();
            },
            (thrown: unknown) => {
              leave();
              reject(thrown);
            },
          );
        },
      };
      const onAbort = (): void => {
        leave();
        reject(new DOMException("aborted", "AbortError"));
      };
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener("abort", onAbort);
      this.#held.add(leave);
      queue.push(waiting);
      if (queue.length === 1) {
        waiting.start();
      }
    });
  }

  #openChannel(name: string, onMessage: (message: unknown) => void): Channel {
    const channel = { name, tab: this as FakeTab, onMessage };
    this.#device.channels.add(channel);
    return {
      post: (message) => {
        const copy: unknown = structuredClone(message);
        for (const other of [...this.#device.channels]) {
          if (other.name === name && other !== channel) {
            this.#clock.after(1, () => other.tab.#alive(() => other.onMessage(copy)));
          }
        }
      },
      close: () => {
        this.#device.channels.delete(channel);
      },
    };
  }
}

interface FakeSocketOptions {
  readonly clock: FakeClock;
  readonly deaf: () => boolean;
  readonly handlers: SocketHandlers;
}

/** The client's end; the server's end is `deliver`, `closeFromServer` and the two callbacks. */
export class FakeSocket implements Socket {
  readonly #options: FakeSocketOptions;
  #ended = false;
  onClientFrame: (text: string) => void = () => undefined;
  onClientGone: () => void = () => undefined;

  constructor(options: FakeSocketOptions) {
    this.#options = options;
  }

  send(text: string): void {
    this.#options.clock.after(LATENCY_MS, () => {
      if (!this.#ended && !this.#options.deaf()) {
        this.onClientFrame(text);
      }
    });
  }

  close(): void {
    if (!this.#ended) {
      this.#ended = true;
      this.onClientGone();
      this.#options.clock.after(LATENCY_MS, () => this.#options.handlers.onClose(1000, ""));
    }
  }

  opened(): void {
    this.#options.handlers.onOpen();
  }

  deliver(frame: unknown): void {
    const text = JSON.stringify(frame);
    this.#options.clock.after(LATENCY_MS, () => {
      if (!this.#ended && !this.#options.deaf()) {
        this.#options.handlers.onMessage(text);
      }
    });
  }

  closeFromServer(code: number, reason = ""): void {
    this.#options.clock.after(LATENCY_MS, () => {
      if (!this.#ended && !this.#options.deaf()) {
        this.#ended = true;
        this.onClientGone();
        this.#options.handlers.onClose(code, reason);
      }
    });
  }

  /** The connection breaks without a word. */
  breakOff(): void {
    if (!this.#ended) {
      this.#ended = true;
      this.onClientGone();
      this.#options.handlers.onClose(1006, "");
    }
  }
}
