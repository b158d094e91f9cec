// Sounds when a message arrives and nobody looks at its conversation.
import { useClient } from "@parlour/react";
import { useEffect } from "preact/hooks";
import { isLooking } from "../platform/page";
import { playTone } from "../platform/sound";

export function useNotifications(me: string, open: number | null, sound: boolean): void {
  const client = useClient();
  useEffect(() => {
    if (!sound) return undefined;
    return client.on("message.created", (event) => {
      const own = event.message.sender_id === me;
      const seen = isLooking() && event.conversation_id === open;
      if (!own && !seen) playTone();
    });
  }, [client, me, open, sound]);
}
