// Connects the composer with the SDK: sends, edits, tells that one is typing, and keeps drafts.
import { type ConversationHandle, ParlourError } from "@parlour/client";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type ComposerMode, ComposerView } from "./composer-view";
import { type Drafts, isSendable } from "./model";

/** What is edited or answered, as far as the composer has to know it. */
export interface Subject {
  id: number | null;
  senderName: string;
  text: string | null;
}

export interface ComposerProps {
  handle: ConversationHandle;
  title: string;
  drafts: Drafts;
  maxBytes: number;
  editing: Subject | null;
  replying: Subject | null;
  onSent: () => void;
  onCancel: () => void;
  onEditLast: () => void;
  /** Why an edit was refused, as a code. */
  onEditFailed: (code: string) => void;
}

export function Composer(props: ComposerProps): JSX.Element {
  const { handle, drafts, editing, replying } = props;
  const [draft, setDraft] = useState(() => drafts.get(handle.id));
  const [edited, setEdited] = useState("");
  const editId = editing?.id ?? null;

  // The text is taken over once, when the edit begins.
  useEffect(() => setEdited(editing?.text ?? ""), [editId]);

  const write = (text: string): void => {
    if (editing) {
      setEdited(text);
      return;
    }
    setDraft(text);
    drafts.set(handle.id, text);
    handle.setTyping(isSendable(text));
  };

  const submit = (): void => {
    if (editing) {
      const { id, text } = editing;
      props.onCancel();
      if (id === null || edited.trim() === text?.trim()) return;
      handle.edit(id, edited.trim()).catch((thrown: unknown) => {
        props.onEditFailed(thrown instanceof ParlourError ? thrown.code : "other");
      });
      return;
    }
    handle.setTyping(false);
    void handle.send(draft.trim(), replying?.id ? { replyTo: replying.id } : {});
    setDraft("");
    drafts.set(handle.id, "");
    props.onSent();
  };

  return (
    <ComposerView
      title={props.title}
      mode={modeOf(editing, replying)}
      text={editing ? edited : draft}
      maxBytes={props.maxBytes}
      focusKey={`${handle.id}/${editId ?? ""}/${replying?.id ?? ""}`}
      onText={write}
      onSubmit={submit}
      onCancel={props.onCancel}
      onEditLast={props.onEditLast}
      onLeave={() => handle.setTyping(false)}
    />
  );
}

function modeOf(editing: Subject | null, replying: Subject | null): ComposerMode {
  if (editing) return { kind: "edit", text: editing.text ?? "" };
  if (replying) return { kind: "reply", name: replying.senderName, text: replying.text ?? "" };
  return { kind: "write" };
}
