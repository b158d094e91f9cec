// The list of conversations.
import type { ConversationList } from "@parlour/client";
import { useCallback, useEffect } from "react";
import { useClient } from "./provider.js";
import { useStore } from "./use-store.js";

/** See `Conversations.store`. Loads the list when it is first shown. */
export function useConversations(): ConversationList & { loadMore: () => void } {
  const { conversations } = useClient();
  const list = useStore(conversations.store);
  const idle = list.status === "idle";
  useEffect(() => {
    if (idle) {
      // A failure is shown by the list's status.
      conversations.load().catch(() => undefined);
    }
  }, [conversations, idle]);
  const loadMore = useCallback(() => {
    conversations.loadMore().catch(() => undefined);
  }, [conversations]);
  return { ...list, loadMore };
}
