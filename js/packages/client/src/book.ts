// The conversations that are known here: loaded over REST, kept right by events, the same ones in every view.
import type { ConversationList, LoadStatus, RequestOptions } from "./api.js";
import type { Positions } from "./connection/positions.js";
import { type ParlourError, toParlourError } from "./errors.js";
import type { Conversation } from "./protocol/wire.js";
import type { Batch } from "./receiver.js";
import { getConversation, listConversations } from "./rest/conversations.js";
import type { Http } from "./rest/http.js";
import {
  applyChange,
  applyReceipt,
  byActivity,
  mergeConversation,
  type Step,
} from "./state/conversations.js";
import { derive, type ReadableStore, Store } from "./state/store.js";

const PAGE = 50;
/** So many batches wait for a conversation that is being loaded; with more it is loaded once again instead. */
const MOST_WAITING = 200;

interface BookState {
  readonly status: LoadStatus;
  readonly error: ParlourError | null;
  readonly byId: ReadonlyMap<number, Conversation>;
  readonly cursor: string | null;
  readonly loadingMore: boolean;
}

const EMPTY: BookState = { status: "idle", error: null, byId: new Map(), cursor: null, loadingMore: false };

interface BookOptions {
  readonly http: Http;
  readonly positions: Positions;
  readonly me: () => string | null;
  readonly onLoaded: (conversation: Conversation) => void;
  /** The unread count cannot be told from what is here. */
  readonly onRecount: (conversation: Conversation) => void;
  readonly onError: (error: ParlourError) => void;
}

export class Book {
  readonly #options: BookOptions;
  readonly #state = new Store<BookState>(EMPTY);
  readonly #waiting = new Map<number, Batch[]>();
  readonly #loading = new Map<number, Promise<Conversation>>();
  #list: Promise<void> | null = null;
  #generation = 0;
  readonly list: ReadableStore<ConversationList>;

  constructor(options: BookOptions) {
    this.#options = options;
    this.list = derive([this.#state], () => viewOf(this.#state.getSnapshot()));
  }

  get(id: number): Conversation | undefined {
    return this.#state.getSnapshot().byId.get(id);
  }

  one(id: number): ReadableStore<Conversation | null> {
    return {
      getSnapshot: () => this.get(id) ?? null,
      subscribe: this.#state.subscribe,
    };
  }

  load(options: RequestOptions = {}): Promise<void> {
    if (this.#state.getSnapshot().status === "ready") {
      return Promise.resolve();
    }
    this.#list ??= this.#loadFirst(options).finally(() => {
      this.#list = null;
    });
    return this.#list;
  }

  async loadMore(options: RequestOptions = {}): Promise<void> {
    const { cursor, loadingMore, status } = this.#state.getSnapshot();
    if (cursor === null || loadingMore || status !== "ready") {
      return;
    }
    const generation = this.#generation;
    this.#state.update((state) => ({ ...state, loadingMore: true }));
    try {
      const page = await listConversations(this.#options.http, { limit: PAGE, cursor }, options);
      if (generation === this.#generation) {
        this.#putAll(page.results);
        this.#state.update((state) => ({ ...state, cursor: page.next ?? null }));
      }
    } finally {
      if (generation === this.#generation) {
        this.#state.update((state) => ({ ...state, loadingMore: false }));
      }
    }
  }

  /** The conversation as it is known; loaded when it is not. */
  async ensure(id: number, options: RequestOptions = {}): Promise<Conversation> {
    return this.get(id) ?? this.reload(id, options);
  }

  /** Loads it anew. `replace`: what is known of it is wrong. */
  reload(id: number, options: RequestOptions = {}, replace = false): Promise<Conversation> {
    const running = this.#loading.get(id);
    if (running !== undefined && !replace) {
      return running;
    }
    const work = this.#fetch(id, options, replace).finally(() => {
      if (this.#loading.get(id) === work) {
        this.#loading.delete(id);
      }
    });
    this.#loading.set(id, work);
    return work;
  }

  /** What REST or an event tells of a conversation. `again`: it was loaded because an older answer was too old. */
  put(loaded: Conversation, replace = false, again = false): Conversation {
    const { id, epoch, last_seq, receipts } = loaded;
    const known = replace ? undefined : this.get(id);
    let conversation = mergeConversation(known, loaded);
    const waiting = this.#waiting.get(id) ?? [];
    this.#waiting.delete(id);
    let recount = false;
    for (const batch of waiting) {
      const step = this.#fold(conversation, batch);
      conversation = step.conversation;
      recount ||= step.recount;
    }
    this.#options.positions.learn({ conversation_id: id, epoch, seq: last_seq, receipts });
    this.#set(conversation);
    this.#options.onLoaded(loaded);
    const position = this.#options.positions.get(id);
    const tooOld = position !== undefined && position.seq > conversation.last_seq;
    if (tooOld && !again) {
      // Changes that were never told apart lie between: they are in the server's present answer.
      this.#background(this.#fetch(id, {}, false, true));
    } else if (recount) {
      this.#options.onRecount(conversation);
    }
    return conversation;
  }

  /** What happened. Of a conversation that is not known it waits until that is loaded. */
  apply(batch: Batch): void {
    const known = this.get(batch.conversation);
    if (known === undefined) {
      const waiting = this.#waiting.get(batch.conversation) ?? [];
      this.#waiting.set(batch.conversation, [...waiting, batch].slice(-MOST_WAITING));
      this.#background(this.reload(batch.conversation));
      return;
    }
    const { conversation, recount } = this.#fold(known, batch);
    this.#set(conversation);
    if (recount) {
      this.#options.onRecount(conversation);
    }
  }

  /** A change that was made here, before the server has told it. */
  change(id: number, change: (conversation: Conversation) => Step): void {
    const known = this.get(id);
    if (known === undefined) {
      return;
    }
    const { conversation, recount } = change(known);
    this.#set(conversation);
    if (recount) {
      this.#options.onRecount(conversation);
    }
  }

  remove(id: number): void {
    this.#waiting.delete(id);
    this.#state.update((state) => {
      if (!state.byId.has(id)) {
        return state;
      }
      const byId = new Map(state.byId);
      byId.delete(id);
      return { ...state, byId };
    });
  }

  clear(): void {
    this.#generation += 1;
    this.#waiting.clear();
    this.#loading.clear();
    this.#list = null;
    this.#state.set(EMPTY);
  }

  async #loadFirst(options: RequestOptions): Promise<void> {
    const generation = this.#generation;
    this.#state.update((state) => ({ ...state, status: "loading", error: null }));
    try {
      const page = await listConversations(this.#options.http, { limit: PAGE }, options);
      if (generation === this.#generation) {
        this.#putAll(page.results);
        this.#state.update((state) => ({ ...state, status: "ready", cursor: page.next ?? null }));
      }
    } catch (thrown) {
      const error = toParlourError(thrown);
      if (generation === this.#generation) {
        const aborted = error.code === "aborted";
        this.#state.update((state) => ({ ...state, status: aborted ? "idle" : "error", error }));
      }
      throw error;
    }
  }

  async #fetch(id: number, options: RequestOptions, replace: boolean, again = false): Promise<Conversation> {
    const generation = this.#generation;
    const loaded = await getConversation(this.#options.http, id, options);
    return generation === this.#generation ? this.put(loaded, replace, again) : loaded;
  }

  #fold(from: Conversation, batch: Batch): Step {
    const me = this.#options.me() ?? "";
    const base = from.last_seq;
    let conversation = from;
    let recount = false;
    const step = (next: Step): void => {
      conversation = next.conversation;
      recount ||= next.recount;
    };
    for (const change of batch.changes) {
      step(applyChange(conversation, change, me, base));
    }
    for (const receipt of batch.receipts) {
      step(applyReceipt(conversation, receipt, me));
    }
    if (batch.upTo !== null && batch.upTo > conversation.last_seq) {
      conversation = { ...conversation, last_seq: batch.upTo };
    }
    return { conversation, recount };
  }

  #putAll(conversations: readonly Conversation[]): void {
    for (const conversation of conversations) {
      this.put(conversation);
    }
  }

  #set(conversation: Conversation): void {
    this.#state.update((state) =>
      state.byId.get(conversation.id) === conversation
        ? state
        : { ...state, byId: new Map(state.byId).set(conversation.id, conversation) },
    );
  }

  #background(work: Promise<unknown>): void {
    work.catch((thrown: unknown) => this.#options.onError(toParlourError(thrown)));
  }
}

function viewOf(state: BookState): ConversationList {
  const items = [...state.byId.values()].sort(byActivity);
  return {
    status: state.status,
    error: state.error,
    items,
    hasMore: state.cursor !== null,
    loadingMore: state.loadingMore,
    totalUnread: items.reduce((sum, conversation) => sum + conversation.unread_count, 0),
  };
}
