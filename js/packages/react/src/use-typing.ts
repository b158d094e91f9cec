// Who is writing in a conversation.
import type { TypingUser } from "@parlour/client";
import { useClient } from "./provider.js";
import { useStore } from "./use-store.js";

/** See `ConversationHandle.typing`. */
export function useTyping(conversationId: number): readonly TypingUser[] {
  return useStore(useClient().conversation(conversationId).typing);
}
