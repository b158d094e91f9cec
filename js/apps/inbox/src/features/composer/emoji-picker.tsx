// A small board of the emoji that people use most; the keyboard of the system has the others.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { t } from "../../i18n";
import css from "./composer.module.css";

const COLUMNS = 8;
const BOARD = [
  ..."😀😃😄😁😅😂🤣😊🙂😉😍🥰😘😋😜🤪🤗🤔😐😏🙄😬😌😴🤤😎🤓🥳😢😭😤😡🤯😱🥺😳😇🤝👍👎👌🙏👏🙌💪👀🎉🎂🌹🔥✨⭐💯💡✅❌❓📎📅📍🚀☕🍕🍷🏠🚗✈🌞🌧🌈🐶🐱💬💤",
].filter((sign) => sign !== "\ufe0f");
const HEARTS = ["❤️", "💚", "💙", "💛", "🧡", "💜", "🖤", "💔"];

export interface EmojiPickerProps {
  anchor: DOMRect;
  onPick: (emoji: string) => void;
  onClose: () => void;
}

export function EmojiPicker({ anchor, onPick, onClose }: EmojiPickerProps): JSX.Element {
  const ref = useRef<HTMLDivElement>(null);

  useLayoutEffect(() => {
    const board = ref.current;
    if (!board) return;
    board.showPopover?.();
    const box = board.getBoundingClientRect();
    board.style.left = `${Math.max(8, Math.min(anchor.left, innerWidth - box.width - 8))}px`;
    board.style.top = `${Math.max(8, anchor.top - box.height - 10)}px`;
  }, [anchor]);

  useEffect(() => {
    ref.current?.querySelector("button")?.focus();
  }, []);

  const onKeyDown = (event: KeyboardEvent): void => {
    const steps: Record<string, number> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: COLUMNS,
      ArrowUp: -COLUMNS,
    };
    const step = steps[event.key];
    if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      onClose();
    } else if (step !== undefined) {
      event.preventDefault();
      const buttons = [...(ref.current?.querySelectorAll("button") ?? [])];
      buttons[buttons.indexOf(document.activeElement as HTMLButtonElement) + step]?.focus();
    }
  };

  return (
    <div
      ref={ref}
      popover="auto"
      class={css.board}
      role="dialog"
      aria-label={t("composer.emoji")}
      onKeyDown={onKeyDown}
      onToggle={(event) => {
        if ((event as unknown as { newState?: string }).newState === "closed") onClose();
      }}
    >
      {[...HEARTS, ...BOARD].map((emoji, index) => (
        <button
          key={emoji}
          type="button"
          class={css.sign}
          tabIndex={index === 0 ? 0 : -1}
          onClick={() => {
            onClose();
            onPick(emoji);
          }}
        >
          {emoji}
        </button>
      ))}
    </div>
  );
}
