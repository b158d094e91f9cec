// Builds a client out of its parts.
import type { ClientOptions, ParlourClient } from "./api.js";

export function createClient(_options: ClientOptions = {}): ParlourClient {
  throw new Error("not there yet");
}
