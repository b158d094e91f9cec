// The React Native side of the inbox client: a hook that dials again every three seconds, for ever, even when unmounted.
import { type ReactNode, useEffect, useRef, useState } from "react";
import type { Host } from "../support/host.js";
import type { InboxMessage } from "./inbox.js";

export interface InboxHook {
  readonly isConnected: boolean;
  readonly messages: readonly InboxMessage[];
  sendMessage(conversation: number | null, receiver: number | string, text: string): void;
}

const RECONNECT_MS = 3_000;

export function useChatSocket(host: Host, token: string, user: string): InboxHook {
  const ws = useRef<WebSocket | null>(null);
  const [isConnected, setIsConnected] = useState(false);
  const [messages, setMessages] = useState<InboxMessage[]>([]);

  const send = (frame: object): void => {
    if (ws.current?.readyState === ws.current?.OPEN) ws.current?.send(JSON.stringify(frame));
  };
  const connect = (): void => {
    const socket = new host.WebSocket(`${host.ws}/ws/chat/?token=${token}`);
    ws.current = socket;
    socket.onopen = () => setIsConnected(true);
    socket.onmessage = (event) => {
      const frame = JSON.parse(String(event.data)) as InboxMessage & { type: string };
      if (frame.type !== "new_message") return;
      setMessages((before) => [...before, frame]);
      send({ type: "read_receipt", message_ids: [frame.message_id] });
    };
    socket.onclose = () => {
      setIsConnected(false);
      host.timers.setTimeout(connect, RECONNECT_MS);
    };
  };

  // biome-ignore lint/correctness/useExhaustiveDependencies: the hook depends on the user alone, as the client does
  useEffect(() => {
    connect();
    return () => ws.current?.close();
  }, [user]);

  return {
    isConnected,
    messages,
    sendMessage: (conversation_id, receiver_id, text) =>
      send({ type: "chat_message", conversation_id, receiver_id, text }),
  };
}

export interface InboxScreenProps {
  readonly host: Host;
  readonly token: string;
  readonly user: string;
  readonly conversation: number;
  readonly receiver: number | string;
}

/** The screen around the hook. */
export function InboxScreen({ host, token, user, conversation, receiver }: InboxScreenProps): ReactNode {
  const { isConnected, messages, sendMessage } = useChatSocket(host, token, user);
  const [draft, setDraft] = useState("");
  return (
    <main>
      <p className="status">{isConnected ? "Connected" : "Offline"}</p>
      <ul>
        {messages.map((message) => (
          <li key={message.message_id} className="message">
            {message.text}
          </li>
        ))}
      </ul>
      <input value={draft} onChange={(event) => setDraft(event.target.value)} />
      <button type="button" onClick={() => sendMessage(conversation, receiver, draft)}>
        Send
      </button>
    </main>
  );
}
