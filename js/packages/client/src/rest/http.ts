// REST: one request function with sign-in, time limit and typed errors (RFC 9457 bodies).
import type { Credentials } from "../credentials.js";
import { fromWire, ParlourError } from "../errors.js";
import type { Platform } from "../platform.js";
import { ERROR_CODES, type ServerErrorCode } from "../protocol/codes.js";

const REQUEST_MS = 30_000;

export interface HttpRequest {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** `none`: neither token nor a second try (signing in itself). `cookie`: the answer may set one. */
  readonly auth?: "default" | "none";
  readonly setsCookie?: boolean;
}

export class Http {
  readonly #platform: Platform;
  readonly #base: URL | null;
  readonly #credentials: () => Credentials;

  constructor(platform: Platform, url: string, credentials: () => Credentials) {
    this.#platform = platform;
    this.#credentials = credentials;
    const page = platform.baseUrl();
    this.#base = url === "" && page === null ? null : new URL(url === "" ? "/" : url, page ?? undefined);
  }

  /** The server's origin: names what is kept for it. */
  get origin(): string {
    return this.#base?.origin ?? "";
  }

  /** Whether the page came from the server: then the session cookie serves. */
  get sameOrigin(): boolean {
    const page = this.#platform.baseUrl();
    return page !== null && this.#base !== null && new URL(page).origin === this.#base.origin;
  }

  url(path: string, query: HttpRequest["query"] = {}): string {
    if (this.#base === null) {
      throw new TypeError("createClient needs a url outside a page");
    }
    const prefix = this.#base.pathname.replace(/\/$/, "");
    const url = new URL(`${prefix}${path}`, this.#base.origin);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) {
        url.searchParams.set(name, String(value));
      }
    }
    return url.href;
  }

  socketUrl(path: string, query: HttpRequest["query"] = {}): string {
    return this.url(path, query).replace(/^http/, "ws");
  }

  /** The JSON of the answer; `undefined` when it has none. */
  async json<T>(request: HttpRequest): Promise<T> {
    const response = await this.send(request);
    const text = await this.#read(response);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  /** The answer as it comes, for streams; never one that says an error. */
  async send(
    request: HttpRequest,
    timeLimit: number | null = REQUEST_MS,
    accept?: string,
  ): Promise<Response> {
    const first = await this.#attempt(request, "request", timeLimit, accept);
    if (first.status !== 401 || request.auth === "none" || !this.#credentials().renewable) {
      return this.#checked(first);
    }
    return this.#checked(await this.#attempt(request, "rejected", timeLimit, accept));
  }

  async #attempt(
    request: HttpRequest,
    reason: "request" | "rejected",
    timeLimit: number | null,
    accept: string | undefined,
  ): Promise<Response> {
    const abort = new AbortController();
    const onAbort = (): void => abort.abort();
    request.signal?.throwIfAborted();
    request.signal?.addEventListener("abort", onAbort, { once: true });
    let timedOut = false;
    const stop =
      timeLimit === null
        ? () => undefined
        : this.#platform.after(timeLimit, () => {
            timedOut = true;
            abort.abort();
          });
    try {
      const token =
        request.auth === "none" ? undefined : await this.#credentials().token(reason, abort.signal);
      return await this.#platform.fetch(this.url(request.path, request.query), {
        method: request.method ?? "GET",
        headers: headersOf(request, token, accept),
        // A request with a token carries no cookie: then any origin may ask.
        credentials: token === undefined || request.setsCookie === true ? "include" : "omit",
        cache: "no-store",
        signal: abort.signal,
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      });
    } catch (thrown) {
      if (thrown instanceof ParlourError) {
        throw thrown;
      }
      if (request.signal?.aborted === true) {
        throw new ParlourError("aborted", "the request was aborted", { cause: thrown });
      }
      const code = timedOut ? "timeout" : "network";
      throw new ParlourError(code, "the server could not be reached", { cause: thrown });
    } finally {
      stop();
      if (timeLimit !== null) {
        request.signal?.removeEventListener("abort", onAbort);
      }
    }
  }

  async #checked(response: Response): Promise<Response> {
    if (!response.ok) {
      throw await problem(response);
    }
    return response;
  }

  async #read(response: Response): Promise<string> {
    try {
      return await response.text();
    } catch (thrown) {
      throw new ParlourError("network", "the answer broke off", { cause: thrown });
    }
  }
}

function headersOf(request: HttpRequest, token: string | undefined, accept = "application/json") {
  return {
    accept,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    // A JSON body is asked for even where there is nothing to say: that is what keeps foreign forms out.
    ...(request.method === undefined || request.method === "GET"
      ? {}
      : { "content-type": "application/json" }),
  };
}

async function problem(response: Response): Promise<ParlourError> {
  const seconds = Number(response.headers.get("retry-after"));
  const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
  const body: unknown = await response.json().catch(() => null);
  if (typeof body === "object" && body !== null && "code" in body && typeof body.code === "string") {
    const detail = "detail" in body && typeof body.detail === "string" ? { message: body.detail } : {};
    return fromWire({ ...detail, ...body, code: body.code }, response.status, retryAfterMs);
  }
  // Not our server, but something on the way: nothing that it says is final.
  const code = codeOfStatus(response.status);
  const details = { status: response.status, retryAfterMs };
  return code === "not_authenticated"
    ? new ParlourError(code, "not signed in", details)
    : new ParlourError(code, `status ${response.status}`, {
        ...details,
        class: code === "rate_limited" ? "retry" : "unknown",
      });
}

function codeOfStatus(status: number): ServerErrorCode {
  const found = Object.entries(ERROR_CODES).find(([, entry]) => entry.status === status && status < 500);
  return found === undefined ? "unknown" : (found[0] as ServerErrorCode);
}
