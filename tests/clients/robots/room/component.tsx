// An existing Next.js chat component: one socket while it is mounted, no reconnect, a receipt for every message that arrives.
import { type ChangeEvent, type ReactNode, useEffect, useRef, useState } from "react";
import {
  type RoomFrame,
  type RoomMessage,
  type TypingUsers,
  typingLine,
  usePage,
  withEdit,
  withReader,
} from "./types.js";

const TYPING_MS = 3_000;

interface Room {
  readonly messages: readonly RoomMessage[];
  readonly typingUsers: TypingUsers;
  readonly statuses: readonly string[];
  send(frame: object): void;
}

function useRoom(conversation: number): Room {
  const { host, auth } = usePage();
  const [messages, setMessages] = useState<readonly RoomMessage[]>([]);
  const [typingUsers, setTypingUsers] = useState<TypingUsers>({});
  const [statuses, setStatuses] = useState<readonly string[]>([]);
  const socketRef = useRef<WebSocket | null>(null);

  const send = (frame: object): void => {
    // No look at the state of the socket: on one that is not open yet this throws, as in a browser.
    socketRef.current?.send(JSON.stringify(frame));
  };

  // biome-ignore lint/correctness/useExhaustiveDependencies: it depends on conversation and token, as the client does
  useEffect(() => {
    const socket = new host.WebSocket(`${host.ws}/ws/chat/${conversation}/?token=${auth.token}`);
    socketRef.current = socket;
    socket.onmessage = (event) => {
      const frame = JSON.parse(String(event.data)) as RoomFrame;
      switch (frame.type) {
        case "chat_message":
          setMessages((before) => [...before, frame]);
          // One's own too.
          send({ type: "read_receipt", message_id: frame.message_id });
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
        case "user_status":
          setStatuses((before) => [
            ...before,
            `${frame.username} is ${(frame as { status?: string }).status}`,
          ]);
          break;
      }
    };
    return () => socketRef.current?.close();
  }, [conversation, auth.token]);

  return { messages, typingUsers, statuses, send };
}

export function RoomComponent({ conversation }: { readonly conversation: number }): ReactNode {
  const { host } = usePage();
  const { messages, typingUsers, statuses, send } = useRoom(conversation);
  const [draft, setDraft] = useState("");
  const [isTyping, setIsTyping] = useState(false);

  const tell = (is_typing: boolean): void => send({ type: "typing_indicator", is_typing });
  const handleTyping = (event: ChangeEvent<HTMLInputElement>): void => {
    setDraft(event.target.value);
    if (isTyping) return;
    setIsTyping(true);
    tell(true);
    // Three seconds after the first key, however many follow.
    host.timers.setTimeout(() => {
      setIsTyping(false);
      tell(false);
    }, TYPING_MS);
  };
  const sendMessage = (): void => {
    if (draft.trim() === "") return;
    send({ type: "chat_message", content: draft.trim(), attachments: null });
    setDraft("");
  };

  return (
    <section>
      {messages.map((message) => (
        <article key={message.message_id} className="message" data-id={message.message_id}>
          <b className="sender">{message.sender_name}</b>
          <time>{new Date(message.timestamp).toLocaleTimeString()}</time>
          <p className="content">{message.content}</p>
          {message.is_edited && <i className="edited">(edited)</i>}
          <span className="readers">{(message.read_by ?? []).join(",")}</span>
        </article>
      ))}
      <p className="typing">{typingLine(typingUsers)}</p>
      <p className="statuses">{statuses.join("; ")}</p>
      <input value={draft} onChange={handleTyping} />
      <button type="button" onClick={sendMessage}>
        Send
      </button>
    </section>
  );
}
