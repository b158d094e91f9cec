// The room client's reusable hook. Its retry counter is a dependency of the effect that connects: resetting it on success
// closes the socket that has just opened and opens another.
import { useCallback, useEffect, useRef, useState } from "react";
import {
  type RoomFrame,
  type RoomMessage,
  type TypingUsers,
  usePage,
  withEdit,
  withReader,
} from "./types.js";

export type ConnectionStatus = "disconnected" | "connected" | "error";

export interface RoomSocket {
  readonly messages: readonly RoomMessage[];
  readonly typingUsers: TypingUsers;
  readonly connectionStatus: ConnectionStatus;
  sendMessage(content: string): boolean;
  sendTypingIndicator(isTyping: boolean): void;
  sendReadReceipt(message: number): void;
}

const RETRIES = 5;
const RETRY_MS = 3_000;

export function useWebSocket(conversation: number, token: string): RoomSocket {
  const { host } = usePage();
  const [messages, setMessages] = useState<readonly RoomMessage[]>([]);
  const [typingUsers, setTypingUsers] = useState<TypingUsers>({});
  const [connectionStatus, setConnectionStatus] = useState<ConnectionStatus>("disconnected");
  const [retryCount, setRetryCount] = useState(0);
  const socketRef = useRef<WebSocket | null>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the retry count makes it connect anew, as in the client
  useEffect(() => {
    if (!conversation || !token) return;
    const socket = new host.WebSocket(`${host.ws}/ws/chat/${conversation}/?token=${token}`);
    socket.onopen = () => {
      setConnectionStatus("connected");
      setRetryCount(0);
    };
    socket.onmessage = (event) => {
      const frame = JSON.parse(String(event.data)) as RoomFrame;
      switch (frame.type) {
        case "chat_message":
          setMessages((before) => [...before, frame]);
          break;
        case "typing_indicator":
          setTypingUsers((before) => ({
            ...before,
            [frame.user_id]: frame.is_typing ? frame.username : null,
          }));
          break;
        case "read_receipt":
          setMessages((before) => withReader(before, frame));
          break;
        case "message_edited":
          setMessages((before) => withEdit(before, frame));
          break;
      }
    };
    // The end of an old socket is taken for the end of the present one.
    socket.onclose = () => setConnectionStatus("disconnected");
    socket.onerror = () => setConnectionStatus("error");
    socketRef.current = socket;
    return () => socket.close();
  }, [conversation, token, retryCount]);

  useEffect(() => {
    if (connectionStatus !== "disconnected" || retryCount >= RETRIES) return;
    const retry = (): void => setRetryCount((before) => before + 1);
    const timer = host.timers.setTimeout(retry, RETRY_MS * (retryCount + 1));
    return () => host.timers.clearTimeout(timer);
  }, [connectionStatus, retryCount, host]);

  const send = useCallback((frame: object): boolean => {
    const socket = socketRef.current;
    if (!socket || socket.readyState !== socket.OPEN) return false;
    socket.send(JSON.stringify(frame));
    return true;
  }, []);

  return {
    messages,
    typingUsers,
    connectionStatus,
    sendMessage: useCallback((content: string) => send({ type: "chat_message", content }), [send]),
    sendTypingIndicator: useCallback(
      (is_typing: boolean) => {
        send({ type: "typing_indicator", is_typing });
      },
      [send],
    ),
    sendReadReceipt: useCallback(
      (message_id: number) => {
        send({ type: "read_receipt", message_id });
      },
      [send],
    ),
  };
}
