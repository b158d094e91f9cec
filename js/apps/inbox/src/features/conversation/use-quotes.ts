// Fetches answered messages that are not in the window, so that a quote has something to show.
import type { Message, TimelineItem } from "@parlour/client";
import { useEffect, useRef, useState } from "preact/hooks";
import { fetchMessage } from "../../platform/api";

export function useQuotes(items: readonly TimelineItem[]): ReadonlyMap<number, Message | null> {
  const [fetched, setFetched] = useState<ReadonlyMap<number, Message | null>>(new Map());
  const asked = useRef(new Set<number>());
  useEffect(() => {
    const here = new Set(items.map((item) => (item.kind === "message" ? item.message.id : null)));
    for (const item of items) {
      const id = item.kind === "message" ? item.message.reply_to : item.replyTo;
      if (id === null || here.has(id) || asked.current.has(id)) continue;
      asked.current.add(id);
      void fetchMessage(id).then((answer) => {
        if (!answer.ok && answer.status === null) {
          asked.current.delete(id);
          return;
        }
        const message = answer.ok ? (answer.body as Message) : null;
        setFetched((before) => new Map(before).set(id, message));
      });
    }
  }, [items]);
  return fetched;
}
