// The room client's chat screen. It sends a receipt for everything on it that looks unread, again whenever the list changes.
import { type ChangeEvent, type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";
import type { Timer } from "../../support/host.js";
import { typingLine, usePage } from "./types.js";
import { type Conversation, useConversation } from "./use-conversation.js";

const TYPING_MS = 3_000;

/** Receipts for each message of somebody else that does not name the viewer as a reader. */
function useReceipts({ messages, sendReadReceipt }: Conversation): void {
  const { auth } = usePage();
  useEffect(() => {
    for (const message of messages) {
      const mine = message.sender_id === auth.user.id;
      if (!mine && !message.read_by?.includes(auth.user.id)) sendReadReceipt(message.message_id);
    }
  }, [messages, sendReadReceipt, auth.user.id]);
}

interface Composer {
  readonly draft: string;
  change(event: ChangeEvent<HTMLInputElement>): void;
  submit(): void;
}

function useComposer({ connectionStatus, sendMessage, sendTypingIndicator }: Conversation): Composer {
  const { host } = usePage();
  const [draft, setDraft] = useState("");
  const [isTyping, setIsTyping] = useState(false);
  const timer = useRef<Timer | undefined>(undefined);
  const stop = (): void => {
    setIsTyping(false);
    sendTypingIndicator(false);
  };
  return {
    draft,
    change: (event) => {
      setDraft(event.target.value);
      if (!isTyping) {
        setIsTyping(true);
        sendTypingIndicator(true);
      }
      host.timers.clearTimeout(timer.current);
      timer.current = host.timers.setTimeout(stop, TYPING_MS);
    },
    submit: () => {
      if (draft.trim() === "" || connectionStatus !== "connected") return;
      sendMessage(draft.trim());
      setDraft("");
      stop();
      host.timers.clearTimeout(timer.current);
    },
  };
}

export function Chat({ conversation: id }: { readonly conversation: number }): ReactNode {
  const { auth } = usePage();
  const conversation = useConversation(id);
  const { messages, typingUsers, connectionStatus, isLoading } = conversation;
  const { draft, change, submit } = useComposer(conversation);
  useReceipts(conversation);

  if (isLoading) return <p className="loading">Loading conversation...</p>;
  const connected = connectionStatus === "connected";
  return (
    <section>
      <p className={`status ${connectionStatus}`}>{connected ? "Connected" : "Reconnecting..."}</p>
      {messages.map((message) => (
        <article
          key={message.message_id}
          className={`message ${message.sender_id === auth.user.id ? "sent" : "received"}`}
          data-id={message.message_id}
        >
          <b className="sender">{message.sender_name}</b>
          <time>{new Date(message.timestamp).toLocaleTimeString()}</time>
          <p className="content">{message.content}</p>
          {message.is_edited && <i className="edited">(edited)</i>}
          {message.read_by?.includes(auth.user.id) && <i className="read">Read</i>}
        </article>
      ))}
      <p className="typing">{typingLine(typingUsers)}</p>
      <input
        value={draft}
        onChange={change}
        onKeyPress={(event: KeyboardEvent) => event.key === "Enter" && submit()}
        disabled={!connected}
      />
      <button type="button" onClick={submit} disabled={!connected || draft.trim() === ""}>
        Send
      </button>
    </section>
  );
}
