// REST: the signed-in user.
import type { RequestOptions } from "../api.js";
import type { Me } from "../protocol/wire.js";
import type { Http } from "./http.js";

export function getMe(http: Http, options: RequestOptions = {}): Promise<Me> {
  return http.json({ path: "/api/v1/me", signal: options.signal });
}
