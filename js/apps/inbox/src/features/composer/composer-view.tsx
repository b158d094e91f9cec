// The place to write: it grows with the text, Enter sends, and a strip above says what is edited or answered.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { t } from "../../i18n";
import { IconButton } from "../../ui/button";
import { Icon } from "../../ui/icon";
import css from "./composer.module.css";
import { EmojiPicker } from "./emoji-picker";
import { fit, insertAt, isSendable } from "./model";

export type ComposerMode =
  | { kind: "write" }
  | { kind: "reply"; name: string; text: string }
  | { kind: "edit"; text: string };

export interface ComposerViewProps {
  /** With whom: for the label. */
  title: string;
  mode: ComposerMode;
  text: string;
  maxBytes: number;
  /** Changes when the caret belongs here: another conversation, a reply begun. */
  focusKey: string;
  onText: (text: string) => void;
  onSubmit: () => void;
  onCancel: () => void;
  onEditLast: () => void;
  onLeave: () => void;
}

/** Where a keyboard unfolds on the screen, the caret waits until it is asked for. */
const hasKeyboard = typeof matchMedia === "function" && matchMedia("(hover: hover)").matches;

export function ComposerView(props: ComposerViewProps): JSX.Element {
  const { mode, text, focusKey } = props;
  const input = useRef<HTMLTextAreaElement>(null);
  const caret = useRef<number | null>(null);
  const [picking, setPicking] = useState<DOMRect | null>(null);
  const room = fit(text, props.maxBytes);
  const sendable = isSendable(text) && !room.over;

  // The height follows the text.
  useLayoutEffect(() => {
    const el = input.current;
    if (!el) return;
    el.style.height = "auto";
    el.style.height = `${el.scrollHeight}px`;
    if (caret.current !== null) el.setSelectionRange(caret.current, caret.current);
    caret.current = null;
  }, [text]);

  // The key says when.
  useEffect(() => {
    const el = input.current;
    if (!el || (!hasKeyboard && mode.kind === "write") || document.querySelector("dialog[open]")) return;
    el.focus();
    el.setSelectionRange(el.value.length, el.value.length);
  }, [focusKey]);

  const submit = (): void => {
    if (!sendable) return;
    props.onSubmit();
    input.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && mode.kind !== "write") {
      event.preventDefault();
      event.stopPropagation();
      props.onCancel();
    } else if (event.key === "ArrowUp" && text === "" && mode.kind === "write") {
      event.preventDefault();
      props.onEditLast();
    }
  };
  const insert = (piece: string): void => {
    const el = input.current;
    const at = insertAt(text, el?.selectionStart ?? text.length, el?.selectionEnd ?? text.length, piece);
    caret.current = at.caret;
    props.onText(at.text);
    el?.focus();
  };

  return (
    <form
      class={css.root}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {mode.kind === "write" ? null : (
        <div class={css.strip}>
          <Icon name={mode.kind === "edit" ? "edit" : "reply"} size={18} class={css.stripIcon} />
          <span class={css.stripText}>
            <strong dir="auto">
              {mode.kind === "edit" ? t("composer.editing") : t("composer.replying", { name: mode.name })}
            </strong>
            <span dir="auto">{mode.text}</span>
          </span>
          <IconButton icon="close" size="s" label={t("composer.cancel")} onClick={props.onCancel} />
        </div>
      )}
      <div class={css.line}>
        <span class={css.emoji}>
          <IconButton
            icon="smile"
            label={t("composer.emoji")}
            aria-haspopup="dialog"
            aria-expanded={picking !== null}
            onClick={(event) => setPicking(event.currentTarget.getBoundingClientRect())}
          />
        </span>
        <textarea
          ref={input}
          class={css.input}
          rows={1}
          dir="auto"
          value={text}
          placeholder={t("composer.placeholder")}
          aria-label={t("composer.label", { name: props.title })}
          aria-describedby="composer-room"
          aria-invalid={room.over ? true : undefined}
          enterkeyhint="send"
          onInput={(event) => props.onText(event.currentTarget.value)}
          onKeyDown={onKeyDown}
          onBlur={props.onLeave}
        />
        <IconButton
          icon={mode.kind === "edit" ? "check" : "send"}
          label={t(mode.kind === "edit" ? "composer.save" : "composer.send")}
          type="submit"
          filled
          disabled={!sendable}
        />
      </div>
      <p
        id="composer-room"
        class={`${css.room} ${room.over ? css.over : ""}`}
        role={room.over ? "alert" : undefined}
      >
        {room.show ? t(room.over ? "composer.over" : "composer.left", { count: Math.abs(room.left) }) : null}
      </p>
      {picking ? <EmojiPicker anchor={picking} onPick={insert} onClose={() => setPicking(null)} /> : null}
    </form>
  );
}
