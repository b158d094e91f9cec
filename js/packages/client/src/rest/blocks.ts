// REST: whom one has blocked.
import type { RequestOptions } from "../api.js";
import type { User } from "../protocol/wire.js";
import type { Http } from "./http.js";

const PATH = "/api/v1/me/blocks";

export async function listBlocks(http: Http, options: RequestOptions = {}): Promise<readonly User[]> {
  const page = await http.json<{ results: User[] }>({ path: PATH, signal: options.signal });
  return page.results;
}

export async function setBlock(
  http: Http,
  userId: string,
  blocked: boolean,
  options: RequestOptions = {},
): Promise<void> {
  const path = `${PATH}/${encodeURIComponent(userId)}`;
  await http.json({ method: blocked ? "PUT" : "DELETE", path, signal: options.signal });
}
