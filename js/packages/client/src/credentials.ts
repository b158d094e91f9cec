// Where the bearer token comes from: the application, or a sign-in to a built-in account. Tokens are kept in memory only.
import type { ClientOptions, TokenReason } from "./api.js";
import { ParlourError } from "./errors.js";
import type { Platform } from "./platform.js";

/** How long the application may take to give a token. */
const PROVIDER_MS = 30_000;
/** A token is not used any more so long before it ends. */
const MARGIN_MS = 30_000;
/** How long a token is kept whose end cannot be read. */
const OPAQUE_MS = 60_000;

export interface LoginTokens {
  readonly access: string;
  readonly refresh: string;
  readonly expires_in: number;
}

type Refresh = (refresh: string, signal: AbortSignal) => Promise<LoginTokens>;

interface Kept {
  readonly token: string;
  readonly until: number;
}

export class Credentials {
  readonly #platform: Platform;
  readonly #provider: ClientOptions["getToken"];
  readonly #refresh: Refresh;
  #kept: Kept | null = null;
  #refreshToken: string | null = null;
  #asking: Promise<string | undefined> | null = null;

  constructor(platform: Platform, provider: ClientOptions["getToken"], refresh: Refresh) {
    this.#platform = platform;
    this.#provider = provider;
    this.#refresh = refresh;
  }

  /** Whether a token can be got that is not just the same cookie again. */
  get renewable(): boolean {
    return this.#provider !== undefined || this.#refreshToken !== null;
  }

  /** A token that is still good; `undefined`: the session cookie serves. Callers at the same time share one question. */
  async token(reason: TokenReason, signal: AbortSignal): Promise<string | undefined> {
    const fresh = reason === "rejected" || reason === "expiring";
    if (!fresh && this.#kept !== null && this.#kept.until > this.#platform.now()) {
      return this.#kept.token;
    }
    this.#asking ??= this.#ask(reason).finally(() => {
      this.#asking = null;
    });
    const token = await this.#asking;
    signal.throwIfAborted();
    return token;
  }

  signedIn(tokens: LoginTokens): void {
    this.#refreshToken = tokens.refresh;
    this.#keep(tokens.access, this.#platform.now() + tokens.expires_in * 1000 - MARGIN_MS);
  }

  forget(): void {
    this.#kept = null;
    this.#refreshToken = null;
  }

  async #ask(reason: TokenReason): Promise<string | undefined> {
    this.#kept = null;
    return this.#within(async (signal) => {
      if (this.#provider !== undefined) {
        const token = await this.#provider({ reason, signal });
        if (token !== undefined) {
          this.#keep(token, this.#endOf(token));
        }
        return token;
      }
      if (this.#refreshToken === null) {
        return undefined;
      }
      return this.#refreshed(this.#refreshToken, signal);
    });
  }

  async #refreshed(refreshToken: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      const tokens = await this.#refresh(refreshToken, signal);
      this.signedIn(tokens);
      return tokens.access;
    } catch (thrown) {
      if (thrown instanceof ParlourError && thrown.code === "not_authenticated") {
        // Revoked: only a cookie can help now.
        this.#refreshToken = null;
        return undefined;
      }
      throw thrown;
    }
  }

  #keep(token: string, until: number): void {
    this.#kept = { token, until };
  }

  /** The `exp` of a JWT, read without checking it: only to know when to ask again. */
  #endOf(token: string): number {
    const fallback = this.#platform.now() + OPAQUE_MS;
    try {
      const payload = token.split(".")[1] ?? "";
      const claims: unknown = JSON.parse(atob(payload.replace(/-/g, "+").replace(/_/g, "/")));
      const exp = typeof claims === "object" && claims !== null && "exp" in claims ? claims.exp : undefined;
      return typeof exp === "number" ? exp * 1000 - MARGIN_MS : fallback;
    } catch {
      return fallback;
    }
  }

  /** A provider that hangs is as good as one that fails. */
  #within(work: (signal: AbortSignal) => Promise<string | undefined>): Promise<string | undefined> {
    const abort = new AbortController();
    return new Promise((resolve, reject) => {
      const stop = this.#platform.after(PROVIDER_MS, () => {
        reject(new ParlourError("token_failed", "the token did not come in time"));
        abort.abort();
      });
      work(abort.signal).then(
        (token) => {
          stop();
          resolve(token);
        },
        (thrown: unknown) => {
          stop();
          reject(
            thrown instanceof ParlourError
              ? thrown
              : new ParlourError("token_failed", "the token could not be got", { cause: thrown }),
          );
        },
      );
    });
  }
}
