// Whether somebody is there.
import type { PresenceEntry } from "@parlour/client";
import { useMemo } from "react";
import { useClient } from "./provider.js";
import { useStore } from "./use-store.js";

/** See `ParlourClient.presence`. Somebody who is not known there is offline. */
export function usePresence(userId: string): PresenceEntry {
  const known = useStore(useClient().presence).get(userId);
  const offline = useMemo<PresenceEntry>(
    () => ({ user_id: userId, status: "offline", last_seen: null }),
    [userId],
  );
  return known ?? offline;
}
