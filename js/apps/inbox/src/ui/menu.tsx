// A menu of actions on the browser's popover: placed by hand beside its anchor, walked with the arrow keys.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Icon, type IconName } from "./icon";
import css from "./menu.module.css";

export interface MenuItem {
  id: string;
  label: string;
  icon: IconName;
  danger?: boolean;
  run: () => void;
}

export interface MenuProps {
  label: string;
  anchor: { x: number; y: number; width: number; height: number };
  items: readonly MenuItem[];
  onClose: () => void;
}

export function Menu({ label, anchor, items, onClose }: MenuProps): JSX.Element {
  const ref = useRef<HTMLDivElement>(null);

  useLayoutEffect(() => {
    const menu = ref.current;
    if (!menu) return;
    menu.showPopover?.();
    const box = menu.getBoundingClientRect();
    const x = Math.min(Math.max(8, anchor.x + anchor.width - box.width), innerWidth - box.width - 8);
    const below = anchor.y + anchor.height + 4;
    const y = below + box.height > innerHeight - 8 ? Math.max(8, anchor.y - box.height - 4) : below;
    menu.style.left = `${x}px`;
    menu.style.top = `${y}px`;
  }, [anchor.x, anchor.y, anchor.width, anchor.height]);

  useEffect(() => {
    const before = document.activeElement;
    ref.current?.querySelector("button")?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected && !document.querySelector("dialog[open]"))
        before.focus();
    };
  }, []);

  const move = (step: number | "first" | "last"): void => {
    const buttons = [...(ref.current?.querySelectorAll("button") ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to =
      step === "first"
        ? 0
        : step === "last"
          ? buttons.length - 1
          : (at + step + buttons.length) % buttons.length;
    buttons[to]?.focus();
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const steps: Record<string, number | "first" | "last"> = {
      ArrowDown: 1,
      ArrowUp: -1,
      Home: "first",
      End: "last",
    };
    const step = steps[event.key];
    if (step !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      move(step);
    } else if (event.key === "Tab" || event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      onClose();
    }
  };

  return (
    <div
      ref={ref}
      popover="auto"
      class={css.menu}
      role="menu"
      aria-label={label}
      onKeyDown={onKeyDown}
      onToggle={(event) => {
        if ((event as unknown as { newState?: string }).newState === "closed") onClose();
      }}
    >
      {items.map((item) => (
        <button
          key={item.id}
          type="button"
          role="menuitem"
          tabIndex={-1}
          class={`${css.item} ${item.danger ? css.danger : ""}`}
          onClick={() => {
            onClose();
            item.run();
          }}
        >
          <Icon name={item.icon} size={18} />
          {item.label}
        </button>
      ))}
    </div>
  );
}
