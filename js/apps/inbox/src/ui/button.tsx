// Buttons: with a text (primary, quiet, danger) or with an icon alone, which must then have a label.
import type { ComponentChildren, JSX, Ref } from "preact";
import css from "./button.module.css";
import { Icon, type IconName } from "./icon";

type Common = Omit<JSX.IntrinsicElements["button"], "class" | "size" | "icon" | "label" | "ref">;

export interface ButtonProps extends Common {
  kind?: "primary" | "quiet" | "danger" | "plain";
  wide?: boolean;
  icon?: IconName;
  children: ComponentChildren;
}

export function Button({ kind = "quiet", wide = false, icon, children, ...rest }: ButtonProps): JSX.Element {
  return (
    <button type="button" {...rest} class={`${css.button} ${css[kind]} ${wide ? css.wide : ""}`}>
      {icon ? <Icon name={icon} size={18} /> : null}
      {children}
    </button>
  );
}

export interface IconButtonProps extends Common {
  icon: IconName;
  label: string;
  size?: "m" | "s";
  filled?: boolean;
  buttonRef?: Ref<HTMLButtonElement>;
}

export function IconButton({
  icon,
  label,
  size = "m",
  filled = false,
  buttonRef,
  ...rest
}: IconButtonProps): JSX.Element {
  return (
    <button
      type="button"
      title={label}
      {...rest}
      {...(buttonRef ? { ref: buttonRef } : {})}
      aria-label={label}
      class={`${css.icon} ${size === "s" ? css.small : ""} ${filled ? css.filled : ""}`}
    >
      <Icon name={icon} size={size === "s" ? 18 : 22} />
    </button>
  );
}
