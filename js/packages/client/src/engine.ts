// The inside of a client: owns the parts, and leads what arrives to whom it concerns.
import type { ClientOptions } from "./api.js";
import { Book } from "./book.js";
import { Commands } from "./commands.js";
import { Connection } from "./connection/connection.js";
import type { Cursor } from "./connection/cursor.js";
import { PollingTransport } from "./connection/polling.js";
import { Positions } from "./connection/positions.js";
import { SseTransport } from "./connection/sse.js";
import { WebSocketTransport } from "./connection/websocket.js";
import { Handle } from "./conversation.js";
import { Credentials, type LoginTokens } from "./credentials.js";
import { Emitter } from "./emitter.js";
import { toParlourError } from "./errors.js";
import { Marks } from "./marks.js";
import type { OutboxEntry } from "./outbox/entry.js";
import { memoryRecords } from "./outbox/memory.js";
import { Outbox } from "./outbox/outbox.js";
import type { Platform } from "./platform.js";
import type { Conversation, Hello, Me, Message, ResumeResult } from "./protocol/wire.js";
import { type Batch, Receiver } from "./receiver.js";
import { renew } from "./renewal.js";
import { refresh } from "./rest/auth.js";
import { Http } from "./rest/http.js";
import { applyPresence, fillPresence, type PresenceState, replacePresence } from "./state/presence.js";
import { Store } from "./state/store.js";
import { countUnread } from "./state/timeline.js";
import { TimelineModel } from "./timeline-model.js";
import { TypingSender } from "./typing-sender.js";
import { TypingWatch } from "./typing-watch.js";

/** A position in a resume frame is about this long. */
const POSITION_BYTES = 96;

export class Engine {
  readonly platform: Platform;
  readonly emitter = new Emitter();
  readonly me = new Store<Me | null>(null);
  readonly presence = new Store<PresenceState>(new Map());
  readonly http: Http;
  readonly credentials: Credentials;
  readonly connection: Connection;
  readonly book: Book;
  readonly outbox: Outbox;
  readonly #positions = new Positions();
  readonly #receiver: Receiver;
  readonly #commands: Commands;
  readonly #marks: Marks;
  readonly #typing: TypingWatch;
  readonly #handles = new Map<number, { readonly handle: Handle; readonly model: TimelineModel }>();
  readonly #cursor: Cursor = { value: null };
  #away = false;
  #resumedBefore = false;
  /** The largest conversation whose people are told of each other. */
  #signalled = Number.POSITIVE_INFINITY;

  constructor(options: ClientOptions, platform: Platform) {
    this.platform = platform;
    const http = new Http(platform, options.url ?? "", () => this.credentials);
    this.http = http;
    this.credentials = new Credentials(platform, options.getToken, (token, signal) =>
      refresh(http, token, signal),
    );
    this.#receiver = new Receiver(this.#positions, {
      onBatch: (batch) => this.#onBatch(batch),
      onCreated: (event) => {
        this.book.put(event.conversation);
        this.emitter.emit("conversation.created", event);
      },
      onTyping: (event) => {
        this.#typing.heard(event);
        this.emitter.emit("typing", event);
      },
      onPresence: (event) => {
        this.presence.update((state) => applyPresence(state, event));
        this.emitter.emit("presence", event);
      },
      onExpiring: (event) => {
        this.emitter.emit("expiring", event);
        this.#background(renew(this));
      },
      onResyncRequired: (event) => this.emitter.emit("resync_required", event),
    });
    this.connection = new Connection({
      platform,
      transports: {
        websocket: new WebSocketTransport({
          platform,
          http,
          credentials: this.credentials,
          auth: options.auth ?? "ticket",
          deviceId: options.deviceId,
        }),
        sse: new SseTransport(http, this.#cursor),
        polling: new PollingTransport(platform, http, this.#cursor),
      },
      handlers: {
        onHello: (hello) => this.#onHello(hello),
        positions: (bytes) => this.#positions.forResume(Math.floor(bytes / POSITION_BYTES) - 1),
        onEvent: (frame) => this.#receiver.receive(frame),
        onResumed: (result, viaResume) => this.#onResumed(result, viaResume),
      },
      mayRenew: () => this.credentials.renewable,
    });
    this.#commands = new Commands(this.connection, http);
    this.book = new Book({
      http,
      positions: this.#positions,
      me: () => this.#myId(),
      onLoaded: (conversation) => this.#onLoaded(conversation),
      onRecount: (conversation) => this.#recount(conversation),
      onError: (error) => this.emitter.emit("error", error),
    });
    this.#marks = new Marks({
      platform,
      isOpen: () => this.connection.isOpen,
      send: (kind, conversation_id, seq) => this.#commands.mark(kind, { conversation_id, seq }),
      onRead: (conversation) => this.#onReadTold(conversation),
    });
    this.#typing = new TypingWatch(platform, () => this.#myId() ?? "");
    this.outbox = new Outbox({
      platform,
      name: `parlour:${http.origin}`,
      records: once(async () => {
        const stored =
          options.storage === "memory" ? null : await platform.openRecords(`parlour:${http.origin}`);
        return { store: stored ?? memoryRecords(), shared: stored !== null };
      }),
      transmit: (entry, signal) => this.#transmit(entry, signal),
      onConfirmed: (message) => this.#handles.get(message.conversation_id)?.model.put(message),
      onError: (error) => this.emitter.emit("error", error),
    });
    this.#followConnection();
  }

  connect(): void {
    // A missing address is the application's mistake: say so at once.
    this.http.url("/");
    this.#background(this.outbox.restore());
    this.connection.connect();
  }

  handle(id: number): Handle {
    const known = this.#handles.get(id);
    if (known !== undefined) {
      return known.handle;
    }
    const model = new TimelineModel({
      http: this.http,
      conversation: id,
      prepare: (options) => this.book.ensure(id, options),
    });
    const handle = new Handle(id, {
      model,
      book: this.book,
      commands: this.#commands,
      outbox: this.outbox,
      marks: this.#marks,
      typing: this.#typing.state,
      typingSender: new TypingSender(this.platform, (active) =>
        this.#background(this.#commands.typing({ conversation_id: id, active })),
      ),
      me: this.me,
      onError: (thrown) => this.emitter.emit("error", toParlourError(thrown)),
    });
    this.#handles.set(id, { handle, model });
    return handle;
  }

  setAway(away: boolean): void {
    if (away !== this.#away) {
      this.#away = away;
      this.#background(this.#commands.presence(away ? "away" : "online"));
    }
  }

  /** Another user, or nobody: nothing that was loaded for this one stays. */
  forget(): void {
    this.credentials.forget();
    this.outbox.release();
    this.#forgetState();
    this.me.set(null);
  }

  /** Somebody has signed in with a password. */
  enter({ user, ...tokens }: LoginTokens & { readonly user: Me }): Me {
    this.connection.disconnect();
    this.forget();
    this.keepTokens(tokens);
    this.signedIn(user);
    this.connect();
    return user;
  }

  /** On the server's own pages the cookie serves, and scripts need no token at all. */
  keepTokens(tokens: LoginTokens): void {
    if (!this.http.sameOrigin) {
      this.credentials.signedIn(tokens);
    }
  }

  signedIn(me: Me): void {
    this.me.set(me);
    this.#background(this.outbox.setOwner(me.id));
  }

  #forgetState(): void {
    this.#positions.clear();
    this.#marks.clear();
    this.#typing.clear();
    this.#cursor.value = null;
    this.#resumedBefore = false;
    for (const { model } of this.#handles.values()) {
      model.clear();
    }
    this.book.clear();
    this.presence.set(new Map());
  }

  #myId(): string | null {
    return this.me.getSnapshot()?.id ?? null;
  }

  #followConnection(): void {
    let wasOpen = false;
    this.connection.state.subscribe(() => {
      const state = this.connection.state.getSnapshot();
      if (state.status === "open" && !wasOpen) {
        wasOpen = true;
        this.#onOpen(state.transport === "websocket");
      } else if (state.status !== "open" && wasOpen) {
        wasOpen = false;
        this.outbox.stop();
      }
      if (state.status === "closed" && state.reason === "not_authenticated") {
        this.forget();
      }
    });
  }

  #onOpen(websocket: boolean): void {
    if (websocket) {
      this.#cursor.value = null;
    }
    this.outbox.start();
    this.#marks.resume();
    if (this.#away) {
      this.#background(this.#commands.presence("away"));
    }
    if (this.book.list.getSnapshot().status === "error") {
      this.#background(this.book.load());
    }
    for (const { model } of this.#handles.values()) {
      if (model.state.getSnapshot().status === "error") {
        this.#background(model.load());
      }
    }
  }

  #onHello(hello: Hello): void {
    const before = this.#myId();
    if (before !== null && before !== hello.user.id) {
      this.#forgetState();
    }
    this.#signalled = hello.limits?.signal_participants ?? Number.POSITIVE_INFINITY;
    this.signedIn(hello.user);
  }

  #onResumed(result: ResumeResult, viaResume: boolean): void {
    const { resync, gone, unknown } = this.#positions.resumed(result, viaResume);
    this.presence.update((state) => replacePresence(state, result.presence));
    for (const conversation of gone) {
      this.#gone(conversation);
    }
    for (const { conversation_id, reason } of resync) {
      this.#marks.forget(conversation_id);
      this.emitter.emit("resync", { conversation_id, reason });
      this.#background(this.#resync(conversation_id));
    }
    if (this.#resumedBefore) {
      for (const conversation of unknown) {
        this.#background(this.book.ensure(conversation));
      }
    }
    this.#resumedBefore = true;
  }

  async #resync(conversation: number): Promise<void> {
    await this.book.reload(conversation, {}, true);
    await this.#handles.get(conversation)?.model.resync();
  }

  #onBatch(batch: Batch): void {
    const { conversation, changes, receipts } = batch;
    const base = this.book.get(conversation)?.last_seq ?? null;
    this.book.apply(batch);
    this.#handles.get(conversation)?.model.apply(changes, base);
    const me = this.#myId();
    let received = 0;
    let left = false;
    for (const change of changes) {
      if (change.type === "message.created") {
        this.#typing.ended(conversation, change.message.sender_id);
      }
      if ("message" in change && change.message.sender_id !== me) {
        received = Math.max(received, change.message.seq);
      }
      left ||= change.type === "participant.left" && change.user_id === me;
    }
    if (received > (this.book.get(conversation)?.delivered_seq ?? 0)) {
      this.#marks.delivered(conversation, received);
    }
    if (left) {
      this.#positions.forget(conversation);
      this.#gone(conversation);
    }
    for (const change of changes) {
      this.emitter.emit(change.type, change);
      this.emitter.emit("change", change);
    }
    for (const receipt of receipts) {
      this.emitter.emit("receipt", receipt);
    }
  }

  #gone(conversation: number): void {
    this.#marks.forget(conversation);
    this.#handles.get(conversation)?.model.clear();
    this.book.remove(conversation);
    this.emitter.emit("gone", { conversation_id: conversation });
  }

  #onLoaded(conversation: Conversation): void {
    const { id, read_seq, delivered_seq, last_message } = conversation;
    this.#marks.known(id, read_seq, delivered_seq);
    if (
      last_message !== null &&
      last_message.sender_id !== this.#myId() &&
      last_message.seq > delivered_seq
    ) {
      this.#marks.delivered(id, last_message.seq);
    }
    this.presence.update((state) => fillPresence(state, conversation, this.#signalled));
  }

  /** The count cannot be told from the list's own numbers: from the timeline, or else from the server. */
  #recount(conversation: Conversation): void {
    const { id, read_seq } = conversation;
    const model = this.#handles.get(id)?.model;
    const me = this.#myId() ?? "";
    const count = model === undefined ? null : countUnread(model.state.getSnapshot(), read_seq, me);
    if (count !== null) {
      this.book.change(id, (known) => ({ conversation: { ...known, unread_count: count }, recount: false }));
    } else if (!this.#marks.hasUntoldRead(id)) {
      this.#background(this.book.reload(id));
    }
  }

  /** Only now does the server's count take the mark into account. */
  #onReadTold(id: number): void {
    const conversation = this.book.get(id);
    if (conversation !== undefined && conversation.unread_count > 0) {
      this.#recount(conversation);
    }
  }

  async #transmit(entry: OutboxEntry, signal: AbortSignal): Promise<Message> {
    const { conversationId, content, clientId, replyTo, metadata } = entry;
    const input = {
      conversation_id: conversationId,
      content,
      client_id: clientId,
      ...(replyTo === null ? {} : { reply_to: replyTo }),
      ...(metadata === undefined ? {} : { metadata }),
    };
    const message = await this.#commands.send(input, { signal });
    this.#handles.get(conversationId)?.model.put(message);
    return message;
  }

  #background(work: Promise<unknown>): void {
    work.catch((thrown: unknown) => this.emitter.emit("error", toParlourError(thrown)));
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
