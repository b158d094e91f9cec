// REST: built-in accounts.
import type { NewAccount, ProfilePatch, RequestOptions, SignInMethods } from "../api.js";
import type { LoginTokens } from "../credentials.js";
import type { Me } from "../protocol/wire.js";
import type { Http } from "./http.js";

type SignedIn = LoginTokens & { readonly user: Me };

export function signInMethods(http: Http, options: RequestOptions = {}): Promise<SignInMethods> {
  return http.json({ path: "/api/v1/auth/methods", auth: "none", signal: options.signal });
}

export function register(http: Http, account: NewAccount, options: RequestOptions = {}): Promise<SignedIn> {
  const path = "/api/v1/auth/register";
  return http.json({
    method: "POST",
    path,
    body: account,
    auth: "none",
    setsCookie: true,
    signal: options.signal,
  });
}

export function changePassword(
  http: Http,
  passwords: { current: string; new: string },
  options: RequestOptions = {},
): Promise<SignedIn> {
  const path = "/api/v1/auth/password";
  return http.json({ method: "POST", path, body: passwords, setsCookie: true, signal: options.signal });
}

export function updateMe(http: Http, patch: ProfilePatch, options: RequestOptions = {}): Promise<Me> {
  return http.json({ method: "PATCH", path: "/api/v1/me", body: patch, signal: options.signal });
}
