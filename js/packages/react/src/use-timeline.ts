// The messages of a conversation, and what can be done with them.
import type { ConversationHandle, Timeline } from "@parlour/client";
import { useEffect } from "react";
import { useClient } from "./provider.js";
import { useStore } from "./use-store.js";

/** See `ConversationHandle.timeline`. Loads the newest messages when it is first shown. */
export function useTimeline(id: number): Timeline & { readonly conversation: ConversationHandle } {
  const conversation = useClient().conversation(id);
  const timeline = useStore(conversation.timeline);
  const idle = timeline.status === "idle";
  useEffect(() => {
    if (idle) {
      // A failure is shown by the timeline's status.
      conversation.load().catch(() => undefined);
    }
  }, [conversation, idle]);
  return { ...timeline, conversation };
}
