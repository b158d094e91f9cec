// One conversation's timeline: loads pages, takes what happens, and forgets answers that come too late.
import type { RequestOptions } from "./api.js";
import { toParlourError } from "./errors.js";
import type { ChangeEvent } from "./protocol/events.js";
import type { Message } from "./protocol/wire.js";
import type { Http } from "./rest/http.js";
import { listMessages } from "./rest/messages.js";
import { Store } from "./state/store.js";
import {
  addNewer,
  addOlder,
  beginLoading,
  EMPTY_TIMELINE,
  failLoading,
  type Loading,
  showAround,
  showLatest,
  type TimelineState,
  upsert,
} from "./state/timeline.js";

interface TimelineOptions {
  readonly http: Http;
  readonly conversation: number;
  /** Loads the conversation first: from its position on, events tell what a page does not have. */
  readonly prepare: (options: RequestOptions) => Promise<unknown>;
}

export class TimelineModel {
  readonly #options: TimelineOptions;
  readonly #running = new Map<Loading, Promise<void>>();
  #generation = 0;
  readonly state = new Store<TimelineState>(EMPTY_TIMELINE);

  constructor(options: TimelineOptions) {
    this.#options = options;
  }

  load(options: RequestOptions = {}): Promise<void> {
    const { status } = this.state.getSnapshot();
    return status === "ready" ? Promise.resolve() : this.#once("latest", () => this.#loadLatest(options));
  }

  loadOlder(options: RequestOptions = {}): Promise<void> {
    const { status, hasOlder, messages } = this.state.getSnapshot();
    const first = messages[0];
    if (status !== "ready" || !hasOlder || first === undefined) {
      return Promise.resolve();
    }
    return this.#once("older", () =>
      this.#page("older", async () => {
        const page = await this.#list({ before: first.seq }, options);
        return (state) => addOlder(state, page);
      }),
    );
  }

  loadNewer(options: RequestOptions = {}): Promise<void> {
    const { status, hasNewer, messages } = this.state.getSnapshot();
    const last = messages.at(-1);
    if (status !== "ready" || !hasNewer || last === undefined) {
      return Promise.resolve();
    }
    return this.#once("newer", () =>
      this.#page("newer", async () => {
        const page = await this.#list({ after: last.seq }, options);
        return (state) => addNewer(state, page);
      }),
    );
  }

  loadAround(seq: number | "latest", options: RequestOptions = {}): Promise<void> {
    this.#begin();
    if (seq === "latest") {
      return this.#once("latest", () => this.#loadLatest(options));
    }
    return this.#once("latest", () =>
      this.#page("latest", async () => {
        await this.#options.prepare(options);
        const [before, after] = await Promise.all([
          this.#list({ before: seq + 1 }, options),
          this.#list({ after: seq }, options),
        ]);
        return (state) => showAround(state, before, after);
      }),
    );
  }

  /** `base`: the conversation's last seq before; `null` when it is not known. */
  apply(changes: readonly ChangeEvent[], base: number | null): void {
    this.state.update((from) => changes.reduce((state, change) => applyTo(state, change, base), from));
  }

  /** A message that a reply told. */
  put(message: Message): void {
    this.state.update((state) => upsert(state, message, false));
  }

  /** What is here is wrong: it is loaded anew, if anybody has asked for it. */
  async resync(): Promise<void> {
    const { status } = this.state.getSnapshot();
    if (status !== "idle") {
      await this.loadAround("latest");
    }
  }

  clear(): void {
    this.#begin();
    this.state.set(EMPTY_TIMELINE);
  }

  #begin(): void {
    this.#generation += 1;
    this.#running.clear();
  }

  #loadLatest(options: RequestOptions): Promise<void> {
    return this.#page("latest", async () => {
      await this.#options.prepare(options);
      const page = await this.#list({}, options);
      return (state) => showLatest(state, page);
    });
  }

  #list(where: Parameters<typeof listMessages>[2], options: RequestOptions) {
    return listMessages(this.#options.http, this.#options.conversation, where, options);
  }

  async #page(what: Loading, get: () => Promise<(state: TimelineState) => TimelineState>): Promise<void> {
    const generation = this.#generation;
    this.state.update((state) => beginLoading(state, what));
    try {
      const change = await get();
      if (generation === this.#generation) {
        this.state.update(change);
      }
    } catch (thrown) {
      const error = toParlourError(thrown);
      if (generation === this.#generation) {
        this.state.update((state) =>
          error.code === "aborted" && what === "latest" ? EMPTY_TIMELINE : failLoading(state, what, error),
        );
      }
      throw error;
    }
  }

  /** The same page is not loaded twice at a time. */
  #once(what: Loading, load: () => Promise<void>): Promise<void> {
    const running = this.#running.get(what);
    if (running !== undefined) {
      return running;
    }
    const work = load().finally(() => {
      if (this.#running.get(what) === work) {
        this.#running.delete(what);
      }
    });
    this.#running.set(what, work);
    return work;
  }
}

function applyTo(state: TimelineState, change: ChangeEvent, base: number | null): TimelineState {
  switch (change.type) {
    case "message.created":
    case "message.edited":
    case "message.deleted": {
      const isNew = base === null ? change.type === "message.created" : change.message.seq > base;
      return upsert(state, change.message, isNew);
    }
    case "participant.joined":
    case "participant.left":
    case "participant.role":
    case "conversation.changed":
      return state;
  }
}
