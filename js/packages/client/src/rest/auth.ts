// REST: signing in and out, tickets.
import type { RequestOptions } from "../api.js";
import type { LoginTokens } from "../credentials.js";
import type { Me } from "../protocol/wire.js";
import type { Http } from "./http.js";

export function login(
  http: Http,
  credentials: { username: string; password: string },
  options: RequestOptions = {},
): Promise<LoginTokens & { user: Me }> {
  const { username, password } = credentials;
  return http.json({
    method: "POST",
    path: "/api/v1/auth/login",
    body: { username, password },
    auth: "none",
    setsCookie: true,
    signal: options.signal,
  });
}

/** Good for one use: the answer's refresh token replaces this one. */
export function refresh(http: Http, token: string, signal: AbortSignal): Promise<LoginTokens> {
  const body = { refresh: token };
  return http.json({ method: "POST", path: "/api/v1/auth/refresh", body, auth: "none", signal });
}

export async function logout(http: Http): Promise<void> {
  await http.json({ method: "POST", path: "/api/v1/auth/logout", body: {}, setsCookie: true });
}

export function requestTicket(http: Http, options: RequestOptions = {}): Promise<{ ticket: string }> {
  return http.json({ method: "POST", path: "/api/v1/auth/ticket", body: {}, signal: options.signal });
}
