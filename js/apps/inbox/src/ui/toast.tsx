// A short word at the bottom about something that did not work; it goes by itself.
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import css from "./toast.module.css";

const SHOWN_MS = 5_000;

export function Toast({ text, onGone }: { text: string | null; onGone: () => void }): JSX.Element {
  useEffect(() => {
    if (text === null) return undefined;
    const timer = setTimeout(onGone, SHOWN_MS);
    return () => clearTimeout(timer);
  }, [text, onGone]);
  return (
    <div class={css.place} role="alert">
      {text === null ? null : <p class={css.toast}>{text}</p>}
    </div>
  );
}
