// One conversation, without its messages.
import type { Conversation } from "@parlour/client";
import { useEffect } from "react";
import { useClient } from "./provider.js";
import { useStore } from "./use-store.js";

/** See `ConversationHandle.store`. Loads it when it is not known; `null` until then. */
export function useConversation(id: number): Conversation | null {
  const client = useClient();
  const conversation = useStore(client.conversation(id).store);
  const unknown = conversation === null;
  useEffect(() => {
    if (unknown) {
      // It may be no conversation of this user: then it stays null.
      client.conversations.get(id).catch(() => undefined);
    }
  }, [client, id, unknown]);
  return conversation;
}
