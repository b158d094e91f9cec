// REST: finding people.
import type { RequestOptions } from "../api.js";
import type { User } from "../protocol/wire.js";
import type { Http } from "./http.js";

export async function searchUsers(
  http: Http,
  query: string,
  options: RequestOptions = {},
): Promise<readonly User[]> {
  const path = "/api/v1/users";
  const page = await http.json<{ results: User[] }>({ path, query: { q: query }, signal: options.signal });
  return page.results;
}

export function getUser(http: Http, id: string, options: RequestOptions = {}): Promise<User> {
  return http.json({ path: `/api/v1/users/${encodeURIComponent(id)}`, signal: options.signal });
}
