// What is new to the reader: read marks, the unread divider, the count on the pill, the word for screen readers.
import type { Conversation, ConversationHandle } from "@parlour/client";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { t } from "../../i18n";
import { useLooking } from "../../platform/page";
import { countNew, type Entry, lastSeq } from "./model";

export interface Reading {
  unreadAfter: number | null;
  newCount: number;
  announcement: string;
  onSeen: (seq: number, atEnd: boolean) => void;
  /** Who answers has read: the divider goes. */
  onAnswered: () => void;
}

export function useReading(
  handle: ConversationHandle,
  conversation: Conversation | null,
  entries: readonly Entry[],
  hasNewer: boolean,
): Reading {
  const looking = useLooking();
  const [movedTo, setMovedTo] = useState<number | null | undefined>(undefined);
  const [endSeq, setEndSeq] = useState<number | null>(null);
  const sight = useRef({ seq: 0, atEnd: false });
  const last = lastSeq(entries);

  // When it is opened, the divider stands where reading stopped, and stays there.
  const opened = useRef<{ unreadAfter: number | null; end: number } | null>(null);
  if (opened.current === null && conversation !== null && entries.length > 0) {
    opened.current = { unreadAfter: conversation.unread_count > 0 ? conversation.read_seq : null, end: last };
  }
  const unreadAfter = movedTo === undefined ? (opened.current?.unreadAfter ?? null) : movedTo;

  // What comes while nobody looks is divided from what was read before.
  const wasLooking = useRef(looking);
  const readSeq = conversation?.read_seq ?? 0;
  useEffect(() => {
    // All is read when one turns away: the next divider stands before what comes then.
    if (wasLooking.current && !looking && readSeq >= last) setMovedTo(null);
    wasLooking.current = looking;
  }, [looking, last, readSeq]);
  useEffect(() => {
    if (!looking && conversation !== null && conversation.unread_count > 0) {
      setMovedTo((after) => after ?? unreadAfter ?? conversation.read_seq);
    }
  }, [looking, conversation, unreadAfter]);

  const onSeen = useCallback(
    (seq: number, atEnd: boolean) => {
      sight.current = { seq, atEnd };
      if (atEnd && !hasNewer) setEndSeq((before) => Math.max(before ?? 0, last));
      if (!looking || last === 0) return;
      const upTo = atEnd && !hasNewer ? last : seq;
      if (upTo > readSeq) handle.markRead(upTo);
    },
    [handle, last, looking, hasNewer, readSeq],
  );
  // Somebody looks again, or something arrived in sight.
  useEffect(() => {
    if (sight.current.atEnd || sight.current.seq > 0) onSeen(sight.current.seq, sight.current.atEnd);
  }, [onSeen]);

  const [announcement, setAnnouncement] = useState("");
  const announced = useRef<number | null>(null);
  useEffect(() => {
    if (announced.current !== null && last > announced.current) {
      const entry = entries[entries.length - 1];
      if (entry?.kind === "message" && !entry.own && entry.text !== null) {
        setAnnouncement(t("conversation.said", { name: entry.senderName, text: entry.text.slice(0, 200) }));
      }
    }
    if (entries.length > 0) announced.current = last;
  }, [last, entries]);

  return {
    unreadAfter,
    newCount: opened.current === null ? 0 : countNew(entries, Math.max(endSeq ?? 0, opened.current.end)),
    announcement,
    onSeen,
    onAnswered: useCallback(() => setMovedTo(null), []),
  };
}
