// A round picture of somebody: initials on a colour that stays the same, and a dot for presence.
import type { JSX } from "preact";
import { memo } from "preact/compat";
import css from "./avatar.module.css";
import { hueOf, initials } from "./avatar-model";
import { Icon } from "./icon";

export type Dot = "online" | "away" | "offline" | null;

export interface AvatarProps {
  name: string;
  seed: string;
  size?: "xs" | "s" | "m" | "l";
  group?: boolean;
  dot?: Dot;
}

/** It is decoration: the name stands beside it as text. */
export const Avatar = memo(function Avatar({
  name,
  seed,
  size = "m",
  group = false,
  dot = null,
}: AvatarProps): JSX.Element {
  const letters = initials(name);
  return (
    <span
      class={`${css.avatar} ${css[size]} ${css[`hue${hueOf(seed)}`]} ${group ? css.group : ""}`}
      aria-hidden="true"
    >
      {letters === "?" && group ? <Icon name="people" /> : letters}
      {dot === "online" || dot === "away" ? <span class={`${css.dot} ${css[dot]}`} /> : null}
    </span>
  );
});
