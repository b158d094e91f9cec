// What stands where there is nothing to show: an empty place, an error with a way out, grey shapes while loading.
import type { ComponentChildren, JSX } from "preact";
import { Icon, type IconName } from "./icon";
import css from "./state.module.css";

export interface EmptyProps {
  icon: IconName;
  title: string;
  text?: string;
  heading?: "h1" | "h2";
  children?: ComponentChildren;
  tone?: "calm" | "error";
}

export function Empty({
  icon,
  title,
  text,
  heading: Heading = "h2",
  children,
  tone = "calm",
}: EmptyProps): JSX.Element {
  return (
    <div class={css.empty} role={tone === "error" ? "alert" : undefined}>
      <span class={`${css.badge} ${tone === "error" ? css.error : ""}`}>
        <Icon name={icon} size={28} />
      </span>
      <Heading class={css.title}>{title}</Heading>
      {text ? <p class={css.text}>{text}</p> : null}
      {children ? <div class={css.actions}>{children}</div> : null}
    </div>
  );
}

/** A grey shape in the place of something that is coming. */
export function Skeleton({
  width,
  height,
  round = false,
}: {
  width: string;
  height: string;
  round?: boolean;
}): JSX.Element {
  return (
    <span class={`${css.skeleton} ${round ? css.round : ""}`} style={{ width, height }} aria-hidden="true" />
  );
}

export function Spinner({ label }: { label: string }): JSX.Element {
  return (
    <span class={css.spinner} role="status">
      <span class={css.ring} aria-hidden="true" />
      <span class="visually-hidden">{label}</span>
    </span>
  );
}
