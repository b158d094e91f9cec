// The state of the connection.
import type { ConnectionState } from "@parlour/client";
import { useClient } from "./provider.js";
import { useStore } from "./use-store.js";

/** See `ParlourClient.connection`. */
export function useConnection(): ConnectionState {
  return useStore(useClient().connection);
}
