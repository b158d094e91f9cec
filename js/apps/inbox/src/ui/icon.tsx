// The icons: small strokes drawn by hand on a 24 by 24 grid, coloured by the text around them.
import type { JSX } from "preact";

const paths = {
  back: "M15 5l-7 7 7 7",
  close: "M6 6l12 12M18 6L6 18",
  search: "M11 18a7 7 0 1 1 0-14 7 7 0 0 1 0 14ZM16 16l4.5 4.5",
  compose:
    "M12 5H7a3 3 0 0 0-3 3v9a3 3 0 0 0 3 3h9a3 3 0 0 0 3-3v-5M18.4 3.9a1.7 1.7 0 0 1 2.4 2.4L13 14l-3.2.8.8-3.2Z",
  settings:
    "M12 15.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4ZM12 3v2.6M12 18.4V21M3 12h2.6M18.4 12H21M5.6 5.6l1.9 1.9M16.5 16.5l1.9 1.9M5.6 18.4l1.9-1.9M16.5 7.5l1.9-1.9",
  send: "M12 19V5.5M6 11l6-6 6 6",
  check: "M5 12.5l4.5 4.5L19 7.5",
  smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM8.5 14.2a4.3 4.3 0 0 0 7 0M9 9.7v.1M15 9.7v.1",
  reply: "M10 6l-5 5 5 5M5.5 11H14a5 5 0 0 1 5 5v2",
  edit: "M4 20l1-4.5L16.7 3.8a2.1 2.1 0 0 1 3 3L8 18.5 4 20ZM14.5 6l3 3",
  copy: "M9 9h9a1.5 1.5 0 0 1 1.5 1.5v8A1.5 1.5 0 0 1 18 20H10.5A1.5 1.5 0 0 1 9 18.5ZM15 6V5.5A1.5 1.5 0 0 0 13.5 4H6a1.5 1.5 0 0 0-1.5 1.5v8A1.5 1.5 0 0 0 6 15",
  trash:
    "M5 7h14M10 7V5.2A1.2 1.2 0 0 1 11.2 4h1.6A1.2 1.2 0 0 1 14 5.2V7M7 7l.7 11.2A2 2 0 0 0 9.7 20h4.6a2 2 0 0 0 2-1.8L17 7M10.5 11v5M13.5 11v5",
  more: "M12 6v.01M12 12v.01M12 18v.01",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 11.2v5M12 7.8v.1",
  down: "M6 9.5l6 6 6-6",
  people:
    "M9 11.5a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4ZM3.5 19a5.5 5.5 0 0 1 11 0M16 5.6a3 3 0 0 1 0 5.6M17.5 14.3a5.2 5.2 0 0 1 3 4.7",
  plus: "M12 5v14M5 12h14",
  leave: "M10 5H7a2 2 0 0 0-2 2v10a2 2 0 0 0 2 2h3M15 8l4 4-4 4M19 12h-9",
  block: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM5.7 5.7l12.6 12.6",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 7.5V12l3 2",
  alert: "M12 4.5L3.5 19h17ZM12 10v4M12 16.5v.1",
  offline:
    "M4 4l16 16M8.5 16.5a5 5 0 0 1 7 0M5.5 13a9.5 9.5 0 0 1 4-2.3M14 10.6a9.5 9.5 0 0 1 4.5 2.4M2.5 9.5A14 14 0 0 1 7 6.7M11 5.6a14 14 0 0 1 10.5 3.9M12 20v.01",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M5.6 18.4l1.1-1.1M17.3 6.7l1.1-1.1",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z",
  screen: "M4 5.5h16v10.5H4ZM9 20h6M12 16v4",
  bubble:
    "M5 5h14a2.5 2.5 0 0 1 2.5 2.5v7A2.5 2.5 0 0 1 19 17h-6.5L8 20.5V17H5a2.5 2.5 0 0 1-2.5-2.5v-7A2.5 2.5 0 0 1 5 5Z",
} as const;

export type IconName = keyof typeof paths;

/** An icon says nothing to a screen reader: the button around it has the label. */
export function Icon({
  name,
  size = 20,
  class: className,
}: {
  name: IconName;
  size?: number;
  class?: string | undefined;
}): JSX.Element {
  return (
    <svg
      class={className}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width={name === "more" ? 2.6 : 1.8}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={paths[name]} />
    </svg>
  );
}
