// `client.conversations`: the list, and what can be done to conversations.
import type { ConversationList, ConversationPatch, Conversations, RequestOptions } from "./api.js";
import type { Book } from "./book.js";
import type { NewConversation } from "./protocol/events.js";
import type { Conversation, Role } from "./protocol/wire.js";
import * as rest from "./rest/conversations.js";
import type { Http } from "./rest/http.js";
import * as participants from "./rest/participants.js";
import type { ReadableStore } from "./state/store.js";

const FOUND = 20;

export class ConversationsApi implements Conversations {
  readonly #http: Http;
  readonly #book: Book;
  readonly #me: () => string | null;

  constructor(http: Http, book: Book, me: () => string | null) {
    this.#http = http;
    this.#book = book;
    this.#me = me;
  }

  get store(): ReadableStore<ConversationList> {
    return this.#book.list;
  }

  load(options?: RequestOptions): Promise<void> {
    return this.#book.load(options);
  }

  loadMore(options?: RequestOptions): Promise<void> {
    return this.#book.loadMore(options);
  }

  get(id: number, options?: RequestOptions): Promise<Conversation> {
    return this.#book.ensure(id, options);
  }

  async create(conversation: NewConversation, options?: RequestOptions): Promise<Conversation> {
    return this.#book.put(await rest.createConversation(this.#http, conversation, options));
  }

  async search(query: string, options?: RequestOptions): Promise<readonly Conversation[]> {
    const page = await rest.listConversations(this.#http, { limit: FOUND, q: query }, options);
    return page.results;
  }

  async update(id: number, patch: ConversationPatch, options?: RequestOptions): Promise<Conversation> {
    return this.#book.put(await rest.updateConversation(this.#http, id, patch, options));
  }

  addParticipant(id: number, userId: string, options?: RequestOptions): Promise<void> {
    return participants.addParticipant(this.#http, id, userId, options);
  }

  removeParticipant(id: number, userId: string, options?: RequestOptions): Promise<void> {
    return participants.removeParticipant(this.#http, id, userId, options);
  }

  setRole(id: number, userId: string, role: Role, options?: RequestOptions): Promise<void> {
    return participants.setRole(this.#http, id, userId, role, options);
  }

  async leave(id: number, options?: RequestOptions): Promise<void> {
    const me = this.#me() ?? (await this.#whoAmI());
    await participants.removeParticipant(this.#http, id, me, options);
  }

  async #whoAmI(): Promise<string> {
    return (await this.#http.json<{ id: string }>({ path: "/api/v1/me" })).id;
  }
}
