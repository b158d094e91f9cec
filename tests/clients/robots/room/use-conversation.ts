// The room client's history over SWR, merged with what the socket brought: one entry a message id, ordered by creation.
import { useMemo } from "react";
import useSWR from "swr";
import { type RoomMessage, usePage } from "./types.js";
import { type RoomSocket, useWebSocket } from "./use-web-socket.js";

interface History {
  readonly results?: readonly RoomMessage[];
}

export interface Conversation extends RoomSocket {
  readonly isLoading: boolean;
  readonly isError: boolean;
  refreshMessages(): Promise<unknown>;
}

export function useConversation(conversation: number): Conversation {
  const { host, auth } = usePage();
  const { data, error, mutate } = useSWR<History, Error>(
    `/api/conversations/${conversation}/messages`,
    async (path: string) => {
      const answer = await host.fetch(path, { headers: { Authorization: `Bearer ${auth.token}` } });
      if (!answer.ok) throw new Error("Failed to fetch messages");
      return (await answer.json()) as History;
    },
  );
  const socket = useWebSocket(conversation, auth.token);

  const messages = useMemo(() => {
    if (!data) return socket.messages;
    const merged = new Map<number, RoomMessage>();
    for (const message of [...(data.results ?? []), ...socket.messages])
      merged.set(message.message_id, message);
    return [...merged.values()].sort(
      (one, other) => Date.parse(one.created_at) - Date.parse(other.created_at),
    );
  }, [data, socket.messages]);

  return {
    ...socket,
    messages,
    isLoading: !error && !data,
    isError: Boolean(error),
    refreshMessages: () => mutate(),
  };
}
