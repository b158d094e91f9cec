// Who is signed in.
import type { Me } from "@parlour/client";
import { useClient } from "./provider.js";
import { useStore } from "./use-store.js";

/** See `ParlourClient.me`. */
export function useMe(): Me | null {
  return useStore(useClient().me);
}
