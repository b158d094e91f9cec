// The durable queue of sends (guarantee G26): kept before it is tried, tried with the same client id until there is an answer.
import type { SendOptions } from "../api.js";
import { ParlourError, toParlourError } from "../errors.js";
import type { Channel, Platform, RecordStore } from "../platform.js";
import type { Message } from "../protocol/wire.js";
import { type ReadableStore, Store } from "../state/store.js";
import { drain } from "./drain.js";
import {
  type EntryFields,
  fromRecord,
  makeEntry,
  type OutboxEntry,
  orderOf,
  ownerPrefix,
  recordKey,
  toRecord,
} from "./entry.js";

const OWNER_KEY = "owner";
/** How long `discard` waits for the tab that sends. */
const DISCARD_LOCK_MS = 500;

export interface OutboxOptions {
  readonly platform: Platform;
  /** Where entries are kept, and whether other tabs see the same. */
  readonly records: () => Promise<{ store: RecordStore; shared: boolean }>;
  /** Names the queue among the tabs of one origin. */
  readonly name: string;
  /** Sends; resolves with the stored message only after the server's answer. */
  readonly transmit: (entry: OutboxEntry, signal: AbortSignal) => Promise<Message>;
  /** Another tab has sent it. */
  readonly onConfirmed: (message: Message) => void;
  readonly onError: (error: ParlourError) => void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #entries = new Store<readonly OutboxEntry[]>([]);
  readonly #channel: Channel;
  #owner: string | null = null;
  #order = 0;
  /** What could not be kept: it lives in this tab only. */
  readonly #volatile = new Set<string>();
  #lastDrain: Promise<void> = Promise.resolve();
  #draining: { readonly abort: AbortController; wake: () => void; held: boolean } | null = null;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#channel = options.platform.openChannel(options.name, (message) => this.#heard(message));
  }

  /** In the order of sending. */
  get entries(): ReadableStore<readonly OutboxEntry[]> {
    return this.#entries;
  }

  /** Shows at once what was left by the user who was here last; it is sent only once the server has said who it is. */
  async restore(): Promise<void> {
    const records = await this.#records();
    const found = await records.list(OWNER_KEY);
    const owner = found[0]?.value;
    if (typeof owner === "string" && this.#owner === null) {
      await this.#adopt(owner);
    }
  }

  /** The server has said who is signed in. What others have left stays, and is not touched. */
  async setOwner(owner: string): Promise<void> {
    if (owner === this.#owner) {
      return;
    }
    await this.#adopt(owner);
    await (await this.#records()).put(OWNER_KEY, owner);
  }

  /** Accepts a message: shown at once, resolved once it is kept. */
  async add(conversationId: number, content: string, options: SendOptions): Promise<string> {
    const owner = this.#owner;
    if (owner === null) {
      throw new ParlourError("not_authenticated", "nobody has signed in yet");
    }
    const clientId = this.#options.platform.uuid();
    await this.#keep({
      key: recordKey(owner, this.#nextOrder(), clientId),
      clientId,
      conversationId,
      content,
      replyTo: options.replyTo ?? null,
      metadata: options.metadata,
      createdAt: this.#options.platform.now(),
      state: { status: "pending" },
      attempted: false,
      kept: false,
    });
    return clientId;
  }

  /** Puts a failed message at the end again. It was never stored, so its client id is free, except after a conflict. */
  async retry(clientId: string): Promise<void> {
    const entry = this.#find(clientId);
    const owner = this.#owner;
    if (entry === undefined || owner === null || entry.state.status !== "failed") {
      return;
    }
    const next = entry.state.code === "conflict" ? this.#options.platform.uuid() : clientId;
    const { item: _item, ...fields } = entry;
    this.#entries.update((entries) => entries.filter((other) => other !== entry));
    const state = { status: "pending" } as const;
    const key = recordKey(owner, this.#nextOrder(), next);
    // The new record first: a crash in between leaves two, which the client id makes one.
    await this.#keep({ ...fields, key, clientId: next, state, attempted: false, kept: false });
    await this.#erase(entry);
  }

  /** Drops what is certainly not stored: what has failed, and what was never on its way. */
  async discard(clientId: string): Promise<boolean> {
    const entry = this.#find(clientId);
    if (entry === undefined) {
      return false;
    }
    if (entry.state.status === "failed") {
      await this.#remove(entry);
      this.#tell();
      return true;
    }
    if (this.#draining?.held === true) {
      return this.#dropIfFresh(clientId);
    }
    // Another tab may be sending it right now: only with the lock can that be ruled out.
    let dropped = false;
    const abort = new AbortController();
    const stop = this.#options.platform.after(DISCARD_LOCK_MS, () => abort.abort());
    try {
      await this.#alone(abort.signal, async () => {
        stop();
        await this.#reload();
        dropped = await this.#dropIfFresh(clientId);
      });
    } catch {
      return false;
    } finally {
      stop();
    }
    return dropped;
  }

  /** Begins to send: there is a connection. Of several tabs one does. */
  start(): void {
    if (this.#draining !== null) {
      return;
    }
    const draining = { abort: new AbortController(), wake: (): void => undefined, held: false };
    this.#draining = draining;
    const { signal } = draining.abort;
    const previous = this.#lastDrain;
    this.#lastDrain = this.#alone(signal, async () => {
      // Where there are no locks, one's own last round must still be over.
      await previous;
      await this.#reload();
      draining.held = true;
      await drain({
        platform: this.#options.platform,
        signal,
        onWake: (wake) => {
          draining.wake = wake;
        },
        entries: () => this.#entries.getSnapshot(),
        transmit: (entry) => this.#transmit(entry, signal),
      });
      draining.held = false;
    }).catch((thrown: unknown) => {
      draining.held = false;
      if (!signal.aborted) {
        this.#options.onError(toParlourError(thrown));
      }
    });
  }

  /** Stops sending: the connection is gone. What is on its way counts as unknown and is tried again. */
  stop(): void {
    this.#draining?.abort.abort();
    this.#draining = null;
  }

  /** Nobody is signed in. What is kept stays for when its owner is back. */
  release(): void {
    this.stop();
    this.#owner = null;
    this.#entries.set([]);
  }

  /** Signing out: nothing of this user stays. */
  async clear(): Promise<void> {
    this.stop();
    const records = await this.#records();
    for (const entry of this.#entries.getSnapshot()) {
      await records.delete(entry.key);
    }
    await records.delete(OWNER_KEY);
    this.#tell();
    this.release();
  }

  close(): void {
    this.stop();
    this.#channel.close();
  }

  async #records(): Promise<RecordStore> {
    return (await this.#options.records()).store;
  }

  /** Runs while no other tab sends for the same user. What no other tab sees needs no lock. */
  async #alone(signal: AbortSignal, task: () => Promise<void>): Promise<void> {
    const { shared } = await this.#options.records();
    if (!shared) {
      return task();
    }
    const name = `${this.#options.name}:${this.#owner ?? ""}`;
    return this.#options.platform.withLock(name, signal, task);
  }

  /** One try. An error means that the same has to be tried again later. */
  async #transmit(entry: OutboxEntry, signal: AbortSignal): Promise<"settled" | ParlourError> {
    const sending = this.#replace(entry, { state: { status: "sending" }, attempted: true });
    if (!entry.attempted) {
      // Not waited for: it only tells `discard` after a reload that this one may be stored.
      this.#write(sending).catch(() => undefined);
    }
    try {
      const message = await this.#options.transmit(sending, signal);
      await this.#remove(sending);
      this.#tell(message);
      return "settled";
    } catch (thrown) {
      const error = toParlourError(thrown);
      // Signed out is no verdict over the message: it is sent when its owner is back.
      if (error.class === "rejected" && error.code !== "not_authenticated") {
        const { code, message } = error;
        await this.#write(this.#replace(sending, { state: { status: "failed", code, message } }));
        this.#tell();
        return "settled";
      }
      this.#replace(sending, { state: { status: "pending" } });
      return error;
    }
  }

  async #dropIfFresh(clientId: string): Promise<boolean> {
    const entry = this.#find(clientId);
    if (entry === undefined || entry.attempted) {
      return false;
    }
    await this.#remove(entry);
    this.#tell();
    return true;
  }

  async #keep(fields: EntryFields): Promise<void> {
    const entry = makeEntry(fields);
    this.#entries.update((entries) => [...entries, entry]);
    await this.#write(entry);
    const current = this.#find(entry.clientId);
    if (current !== undefined) {
      this.#replace(current, { kept: true });
    }
    this.#tell();
    this.#draining?.wake();
  }

  /** A store that fails must not stop the message: it is then kept by this tab only. */
  async #write(entry: OutboxEntry): Promise<void> {
    try {
      await (await this.#records()).put(entry.key, toRecord(entry));
    } catch (thrown) {
      this.#volatile.add(entry.clientId);
      this.#options.onError(toParlourError(thrown));
    }
  }

  async #remove(entry: OutboxEntry): Promise<void> {
    this.#entries.update((entries) => entries.filter((other) => other.clientId !== entry.clientId));
    this.#volatile.delete(entry.clientId);
    await this.#erase(entry);
  }

  async #erase(entry: OutboxEntry): Promise<void> {
    try {
      await (await this.#records()).delete(entry.key);
    } catch (thrown) {
      // It will be sent again after a reload, and found to be stored already.
      this.#options.onError(toParlourError(thrown));
    }
  }

  #replace(entry: OutboxEntry, change: Partial<EntryFields>): OutboxEntry {
    const { item: _item, ...fields } = entry;
    const next = makeEntry({ ...fields, ...change });
    this.#entries.update((entries) =>
      entries.map((other) => (other.clientId === entry.clientId ? next : other)),
    );
    return next;
  }

  #find(clientId: string): OutboxEntry | undefined {
    return this.#entries.getSnapshot().find((entry) => entry.clientId === clientId);
  }

  #nextOrder(): number {
    // The wall clock may jump back; the order of sending may not.
    this.#order = Math.max(this.#order + 1, this.#options.platform.now());
    return this.#order;
  }

  async #adopt(owner: string): Promise<void> {
    this.#owner = owner;
    this.#entries.set([]);
    await this.#reload();
  }

  /** What all tabs have kept, and what this one has not kept yet. */
  async #reload(): Promise<void> {
    const owner = this.#owner;
    if (owner === null) {
      return;
    }
    const before = new Map(this.#entries.getSnapshot().map((entry) => [entry.clientId, entry.kept]));
    const found = await (await this.#records()).list(ownerPrefix(owner));
    if (owner !== this.#owner) {
      return;
    }
    const mine = new Map(this.#entries.getSnapshot().map((entry) => [entry.clientId, entry]));
    const next = new Map<string, OutboxEntry>();
    for (const { key, value } of found) {
      const entry = fromRecord(key, value);
      if (entry === null) {
        continue;
      }
      this.#order = Math.max(this.#order, orderOf(key));
      const here = mine.get(entry.clientId);
      // What this tab has settled while the list was read stays settled.
      if (here === undefined && before.has(entry.clientId)) {
        continue;
      }
      const newerHere = here?.state.status === "sending" || here?.kept === false;
      const attempted = entry.attempted || here?.attempted === true;
      next.set(entry.clientId, newerHere ? here : attempted === entry.attempted ? entry : attempt(entry));
    }
    for (const entry of mine.values()) {
      const otherTabTookIt = before.get(entry.clientId) === true && !this.#volatile.has(entry.clientId);
      if (!next.has(entry.clientId) && (!otherTabTookIt || entry.state.status === "sending")) {
        next.set(entry.clientId, entry);
      }
    }
    this.#entries.set([...next.values()].sort((a, b) => (a.key < b.key ? -1 : 1)));
  }

  #tell(confirmed?: Message): void {
    this.#channel.post({ owner: this.#owner, confirmed: confirmed ?? null });
  }

  #heard(message: unknown): void {
    const { owner, confirmed } = message as { owner: string | null; confirmed: Message | null };
    if (owner !== this.#owner) {
      return;
    }
    if (confirmed !== null) {
      this.#options.onConfirmed(confirmed);
    }
    this.#reload()
      .then(() => this.#draining?.wake())
      .catch((thrown: unknown) => this.#options.onError(toParlourError(thrown)));
  }
}

function attempt(entry: OutboxEntry): OutboxEntry {
  const { item: _item, ...fields } = entry;
  return makeEntry({ ...fields, attempted: true });
}
