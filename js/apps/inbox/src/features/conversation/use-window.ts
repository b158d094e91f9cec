// Opens a conversation where reading stopped, even when that lies above the newest page.
import type { Conversation, ConversationHandle, Timeline, TimelineItem } from "@parlour/client";
import { useEffect, useState } from "preact/hooks";

const NOTHING: readonly TimelineItem[] = [];

/** The items to show: none until it is clear which window of the messages it shall be. */
export function useWindow(
  handle: ConversationHandle,
  conversation: Conversation | null,
  timeline: Timeline,
): readonly TimelineItem[] {
  const [settled, setSettled] = useState(false);
  const { status, items, hasOlder } = timeline;
  const first = items[0]?.kind === "message" ? items[0].message.seq : null;

  useEffect(() => {
    if (settled || status !== "ready" || conversation === null) return;
    const unreadAbove =
      conversation.unread_count > 0 && hasOlder && first !== null && first > conversation.read_seq + 1;
    if (!unreadAbove) {
      setSettled(true);
      return;
    }
    const show = (): void => setSettled(true);
    handle.loadAround(Math.max(1, conversation.read_seq)).then(show, show);
  }, [settled, status, conversation, hasOlder, first, handle]);

  return settled ? items : NOTHING;
}
