// `client.conversation(id)`: one conversation with its messages.
import type {
  ConversationHandle,
  PendingItem,
  RequestOptions,
  SendOptions,
  Timeline,
  TimelineItem,
  TypingUser,
} from "./api.js";
import type { Book } from "./book.js";
import type { Commands } from "./commands.js";
import type { Marks } from "./marks.js";
import type { Outbox } from "./outbox/outbox.js";
import type { Conversation, Me, Message } from "./protocol/wire.js";
import { readUpTo } from "./state/conversations.js";
import { buildItems } from "./state/items.js";
import { derive, type ReadableStore } from "./state/store.js";
import type { TypingState } from "./state/typing.js";
import type { TimelineModel } from "./timeline-model.js";
import type { TypingSender } from "./typing-sender.js";

/** Always the same one: a new one each time would be a change each time. */
const NO_PARTICIPANTS: Conversation["participants"] = [];

interface HandleParts {
  readonly model: TimelineModel;
  readonly book: Book;
  readonly commands: Commands;
  readonly outbox: Outbox;
  readonly marks: Marks;
  readonly typing: ReadableStore<TypingState>;
  readonly typingSender: TypingSender;
  readonly me: ReadableStore<Me | null>;
  readonly onError: (thrown: unknown) => void;
}

const NOBODY: readonly TypingUser[] = [];

export class Handle implements ConversationHandle {
  readonly id: number;
  readonly store: ReadableStore<Conversation | null>;
  readonly timeline: ReadableStore<Timeline>;
  readonly typing: ReadableStore<readonly TypingUser[]>;
  readonly #parts: HandleParts;

  constructor(id: number, parts: HandleParts) {
    this.id = id;
    this.#parts = parts;
    this.store = parts.book.one(id);
    this.typing = {
      getSnapshot: () => parts.typing.getSnapshot().get(id) ?? NOBODY,
      subscribe: parts.typing.subscribe,
    };
    this.timeline = this.#view();
  }

  load(options?: RequestOptions): Promise<void> {
    return this.#parts.model.load(options);
  }

  loadOlder(options?: RequestOptions): Promise<void> {
    return this.#parts.model.loadOlder(options);
  }

  loadNewer(options?: RequestOptions): Promise<void> {
    return this.#parts.model.loadNewer(options);
  }

  loadAround(seq: number | "latest", options?: RequestOptions): Promise<void> {
    return this.#parts.model.loadAround(seq, options);
  }

  send(content: string, options: SendOptions = {}): Promise<string> {
    const { model, outbox, typingSender, onError } = this.#parts;
    typingSender.sent();
    if (model.state.getSnapshot().hasNewer) {
      // What one says stands at the end: show that.
      model.loadAround("latest").catch(onError);
    }
    return outbox.add(this.id, content, options);
  }

  async edit(messageId: number, content: string, options: RequestOptions = {}): Promise<Message> {
    const message = await this.#parts.commands.edit(messageId, content, options);
    this.#parts.model.put(message);
    return message;
  }

  async delete(messageId: number, options: RequestOptions = {}): Promise<Message> {
    const tombstone = await this.#parts.commands.delete(messageId, options);
    this.#parts.model.put(tombstone);
    return tombstone;
  }

  retry(clientId: string): Promise<void> {
    return this.#parts.outbox.retry(clientId);
  }

  discard(clientId: string): Promise<boolean> {
    return this.#parts.outbox.discard(clientId);
  }

  markRead(seq?: number): void {
    const { book, marks, model } = this.#parts;
    const conversation = book.get(this.id);
    const shown = model.state.getSnapshot().messages.at(-1)?.seq ?? 0;
    const upTo = seq ?? Math.max(shown, conversation?.last_message?.seq ?? 0);
    if (conversation === undefined || upTo <= conversation.read_seq) {
      return;
    }
    marks.read(this.id, upTo);
    book.change(this.id, (known) => readUpTo(known, upTo, upTo));
  }

  setTyping(active: boolean): void {
    this.#parts.typingSender.set(active);
  }

  #view(): ReadableStore<Timeline> {
    const { model, outbox, me } = this.#parts;
    let pending: readonly PendingItem[] = [];
    let items: readonly TimelineItem[] = [];
    const waiting = derive([outbox.entries], () => {
      const next = outbox.entries
        .getSnapshot()
        .filter((entry) => entry.conversationId === this.id)
        .map((entry) => entry.item);
      pending =
        next.length === pending.length && next.every((item, at) => item === pending[at]) ? pending : next;
      return pending;
    });
    const participants: ReadableStore<Conversation["participants"]> = {
      getSnapshot: () => this.store.getSnapshot()?.participants ?? NO_PARTICIPANTS,
      subscribe: this.store.subscribe,
    };
    return derive([model.state, waiting, participants, me], () => {
      const { status, error, messages, hasOlder, hasNewer, loadingOlder, loadingNewer } =
        model.state.getSnapshot();
      items = buildItems(items, {
        messages,
        pending: waiting.getSnapshot(),
        participants: participants.getSnapshot(),
        me: me.getSnapshot()?.id ?? null,
      });
      return { status, error, items, hasOlder, hasNewer, loadingOlder, loadingNewer };
    });
  }
}
