// Keeps a session up: which transport, when to try again, when to stay away. The state is one value.
import { ParlourError } from "../errors.js";
import type { Platform, Stop } from "../platform.js";
import type { CommandInput, CommandName, CommandResult } from "../protocol/events.js";
import type { Hello } from "../protocol/wire.js";
import { type ReadableStore, Store } from "../state/store.js";
import { backoff, LONGEST_DELAY_MS } from "./backoff.js";
import { type FallbackState, failed, INITIAL_FALLBACK, tryWebSocket, worked } from "./fallback.js";
import { Session, type SessionEnd, type SessionHandlers } from "./session.js";
import { type ConnectionReason, type ConnectionState, mayFollow, type TransportKind } from "./state.js";
import type { Transport } from "./transport.js";

/** A connection that has lasted so long was a good one: the next loss counts as the first. */
const STABLE_MS = 10_000;

export interface ConnectionOptions {
  readonly platform: Platform;
  readonly transports: Readonly<Record<TransportKind, Transport>>;
  readonly handlers: Pick<SessionHandlers, "onHello" | "positions" | "onEvent" | "onResumed">;
  /** Whether there may be another token next time. Without one, a refused sign-in is final. */
  readonly mayRenew: () => boolean;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #state = new Store<ConnectionState>({ status: "idle" });
  #session: Session | null = null;
  #fallback: FallbackState = INITIAL_FALLBACK;
  #attempt = 0;
  #stopTimer: Stop | null = null;
  #stopStable: Stop | null = null;
  #stopWatch: Stop | null = null;
  #stopProbe: Stop | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get state(): ReadableStore<ConnectionState> {
    return this.#state;
  }

  get isOpen(): boolean {
    return this.#state.getSnapshot().status === "open";
  }

  /** Whether commands can go over the connection; else they go over REST. */
  get carriesCommands(): boolean {
    return this.#session?.carriesCommands === true;
  }

  connect(): void {
    const { status } = this.#state.getSnapshot();
    if (status !== "idle" && status !== "closed") {
      return;
    }
    this.#attempt = 0;
    this.#stopWatch ??= this.#options.platform.watch(() => this.#environmentChanged());
    this.#open();
  }

  disconnect(): void {
    this.#leave();
    this.#go({ status: "idle" });
  }

  request<K extends CommandName>(
    name: K,
    input: CommandInput<K>,
    signal?: AbortSignal,
  ): Promise<CommandResult<K>> {
    if (this.#session === null || !this.#session.carriesCommands) {
      return Promise.reject(new ParlourError("closed", "there is no connection", { class: "retry" }));
    }
    return this.#session.request(name, input, signal);
  }

  /** What was received does not follow on what is here: come back and resume. */
  reset(reason: ConnectionReason): void {
    this.#session?.fail(reason);
  }

  #open(evenOffline = false): void {
    const { platform, transports, handlers } = this.#options;
    this.#clearTimers();
    if (!platform.isOnline() && !evenOffline) {
      this.#go({ status: "offline" });
      // Some devices are wrong about being offline.
      this.#stopTimer = platform.after(LONGEST_DELAY_MS, () => this.#open(true));
      return;
    }
    this.#start(transports, handlers);
  }

  #start(transports: ConnectionOptions["transports"], handlers: ConnectionOptions["handlers"]): void {
    this.#fallback = tryWebSocket(this.#fallback, this.#options.platform.now());
    const kind = this.#fallback.transport;
    this.#go({ status: "connecting", transport: kind });
    const onHello = (hello: Hello): void => {
      this.#fallback = worked(this.#fallback);
      handlers.onHello(hello);
    };
    this.#session = new Session(this.#options.platform, transports[kind], {
      ...handlers,
      onHello,
      onPhase: (phase) => {
        this.#go({ status: phase, transport: kind });
        if (phase === "open") {
          this.#opened(kind);
        }
      },
      onEnd: (end) => this.#ended(end),
    });
  }

  #opened(kind: TransportKind): void {
    const { platform } = this.#options;
    this.#stopStable = platform.after(STABLE_MS, () => {
      this.#attempt = 0;
    });
    if (kind !== "websocket") {
      const wait = Math.max(0, this.#fallback.retryAt - platform.now());
      this.#stopProbe = platform.after(wait, () => this.#changeTransport());
    }
  }

  /** A fallback has served for a while: see whether WebSockets work again. Positions and resume see to it that nothing is lost. */
  #changeTransport(): void {
    this.#session?.close();
    this.#session = null;
    this.#open();
  }

  #ended(end: SessionEnd): void {
    const { platform, mayRenew } = this.#options;
    this.#session = null;
    if (!end.gotHello && end.refused) {
      const before = this.#fallback.transport;
      this.#fallback = failed(this.#fallback, platform.now());
      if (this.#fallback.transport !== before && this.#fallback.transport !== "websocket") {
        // The next way is tried at once.
        this.#wait(0, end.reason);
        return;
      }
    }
    const signedOut = end.reason === "not_authenticated" && !end.gotHello && !mayRenew();
    if (!end.reconnect || signedOut) {
      this.#leave();
      this.#go({ status: "closed", reason: end.reason });
      return;
    }
    this.#attempt += 1;
    this.#wait(backoff(this.#attempt, platform.random(), end.retryAfterMs), end.reason);
  }

  #wait(ms: number, reason: ConnectionReason): void {
    const { platform } = this.#options;
    this.#clearTimers();
    if (!platform.isOnline()) {
      this.#open();
      return;
    }
    const attempt = Math.max(1, this.#attempt);
    this.#go({ status: "waiting", attempt, retryAt: platform.now() + ms, reason });
    this.#stopTimer = platform.after(ms, () => this.#open());
  }

  #environmentChanged(): void {
    const { platform } = this.#options;
    const { status } = this.#state.getSnapshot();
    switch (status) {
      case "waiting":
      case "offline":
        if (platform.isOnline() && platform.isVisible()) {
          this.#open();
        } else if (!platform.isOnline() && status === "waiting") {
          this.#open();
        }
        return;
      case "open":
      case "resuming":
        // Sockets often outlive a sleep or a change of network in name only.
        this.#session?.probe();
        return;
      case "idle":
      case "closed":
      case "connecting":
      case "authenticating":
        return;
    }
  }

  #leave(): void {
    this.#clearTimers();
    this.#stopWatch?.();
    this.#stopWatch = null;
    this.#session?.close();
    this.#session = null;
  }

  #clearTimers(): void {
    this.#stopTimer?.();
    this.#stopStable?.();
    this.#stopProbe?.();
    this.#stopTimer = null;
    this.#stopStable = null;
    this.#stopProbe = null;
  }

  #go(next: ConnectionState): void {
    const { status } = this.#state.getSnapshot();
    if (status === next.status && next.status !== "waiting" && next.status !== "closed") {
      return;
    }
    if (status !== next.status && !mayFollow(status, next.status)) {
      throw new Error(`a connection cannot go from ${status} to ${next.status}`);
    }
    this.#state.set(next);
  }
}
