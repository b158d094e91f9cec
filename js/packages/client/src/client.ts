// Builds a client out of its parts, and connects them.
import type {
  Account,
  Blocks,
  ClientEvents,
  ClientOptions,
  ConversationHandle,
  Conversations,
  ParlourClient,
  RequestOptions,
  Users,
} from "./api.js";
import type { ConnectionState } from "./connection/state.js";
import { ConversationsApi } from "./conversations.js";
import { Engine } from "./engine.js";
import { ParlourError, toParlourError } from "./errors.js";
import { browserPlatform } from "./platform-browser.js";
import type { Me, PresenceEntry } from "./protocol/wire.js";
import * as account from "./rest/account.js";
import * as auth from "./rest/auth.js";
import * as blocks from "./rest/blocks.js";
import { getMe } from "./rest/me.js";
import * as users from "./rest/users.js";
import type { ReadableStore } from "./state/store.js";

export function createClient(options: ClientOptions = {}): ParlourClient {
  return new Client(options);
}

class Client implements ParlourClient {
  readonly conversations: Conversations;
  readonly users: Users;
  readonly blocks: Blocks;
  readonly account: Account;
  readonly #engine: Engine;

  constructor(options: ClientOptions) {
    const engine = new Engine(options, options.platform ?? browserPlatform());
    const { http, book, me } = engine;
    this.#engine = engine;
    this.conversations = new ConversationsApi(http, book, () => me.getSnapshot()?.id ?? null);
    this.users = {
      search: (query, request) => users.searchUsers(http, query, request),
      get: (id, request) => users.getUser(http, id, request),
    };
    this.blocks = {
      list: (request) => blocks.listBlocks(http, request),
      add: (userId, request) => blocks.setBlock(http, userId, true, request),
      remove: (userId, request) => blocks.setBlock(http, userId, false, request),
    };
    this.account = {
      methods: (request) => account.signInMethods(http, request),
      register: async (wish, request) => this.#engine.enter(await account.register(http, wish, request)),
      changePassword: async (passwords, request) => {
        engine.keepTokens(await account.changePassword(http, passwords, request));
      },
      updateProfile: async (patch, request) => {
        const profile = await account.updateMe(http, patch, request);
        me.set(profile);
        return profile;
      },
    };
  }

  get connection(): ReadableStore<ConnectionState> {
    return this.#engine.connection.state;
  }

  get me(): ReadableStore<Me | null> {
    return this.#engine.me;
  }

  get presence(): ReadableStore<ReadonlyMap<string, PresenceEntry>> {
    return this.#engine.presence;
  }

  connect(): void {
    this.#engine.connect();
  }

  disconnect(): void {
    this.#engine.connection.disconnect();
  }

  async login(who: { username: string; password: string }, options?: RequestOptions): Promise<Me> {
    return this.#engine.enter(await auth.login(this.#engine.http, who, options));
  }

  async logout(): Promise<void> {
    try {
      await auth.logout(this.#engine.http);
    } catch (thrown) {
      // Signed out already is signed out. Anything else must not look like it: the cookie may still be good.
      if (toParlourError(thrown).code !== "not_authenticated") {
        throw thrown;
      }
    }
    this.#engine.connection.disconnect();
    await this.#engine.outbox.clear();
    this.#engine.forget();
  }

  async restore(options?: RequestOptions): Promise<Me | null> {
    try {
      const me = await getMe(this.#engine.http, options);
      this.#engine.signedIn(me);
      return me;
    } catch (thrown) {
      if (thrown instanceof ParlourError && thrown.code === "not_authenticated") {
        return null;
      }
      throw thrown;
    }
  }

  conversation(id: number): ConversationHandle {
    return this.#engine.handle(id);
  }

  setAway(away: boolean): void {
    this.#engine.setAway(away);
  }

  on<K extends keyof ClientEvents>(type: K, listener: (event: ClientEvents[K]) => void): () => void {
    return this.#engine.emitter.on(type, listener);
  }
}
