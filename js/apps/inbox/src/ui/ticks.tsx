// How far one's own message has come: a clock, one tick, two ticks, two coloured ticks, or a warning.
import type { JSX } from "preact";
import { t } from "../i18n";
import css from "./ticks.module.css";

export type TickState = "pending" | "queued" | "failed" | "sent" | "delivered" | "read";

export function Ticks({ state, label }: { state: TickState; label?: string }): JSX.Element {
  return (
    <span class={`${css.ticks} ${css[state]}`} data-state={state}>
      <svg
        width={state === "pending" || state === "queued" || state === "failed" ? 14 : 18}
        height="14"
        viewBox={state === "delivered" || state === "read" || state === "sent" ? "0 0 18 14" : "0 0 14 14"}
        fill="none"
        stroke="currentColor"
        stroke-width="1.7"
        stroke-linecap="round"
        stroke-linejoin="round"
        aria-hidden="true"
        focusable="false"
      >
        <path d={shape(state)} />
      </svg>
      <span class="visually-hidden">{label ?? t(`message.${state}`)}</span>
    </span>
  );
}

function shape(state: TickState): string {
  switch (state) {
    case "pending":
    case "queued":
      return "M7 12.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM7 4.2V7l1.9 1.3";
    case "failed":
      return "M7 12.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM7 4.2v3.3M7 9.8v.01";
    case "sent":
      return "M4 7.5l3.2 3.2L13.7 3.5";
    case "delivered":
    case "read":
      return "M1 7.5l3.2 3.2L10.7 3.5M8.2 9.8l.9.9L15.7 3.5";
  }
}
