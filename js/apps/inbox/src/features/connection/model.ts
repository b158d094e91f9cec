// When the connection is worth a word, and which.

export type Link =
  | { status: "up" }
  | { status: "connecting" }
  | { status: "waiting"; retryAt: number }
  | { status: "offline" }
  | { status: "stopped"; reason: string };

export type Banner =
  | { kind: "none" }
  | { kind: "connecting" }
  | { kind: "waiting"; seconds: number }
  | { kind: "offline" }
  | { kind: "stopped"; reason: string }
  | { kind: "back" };

/** A short break is not worth a word. */
export const QUIET_MS = 1_500;
/** How long "back" is shown. */
export const BACK_MS = 2_500;

export interface Watch {
  /** Since when it is down; null while it is up. */
  downSince: number | null;
  /** Whether the banner has been shown in this break. */
  told: boolean;
  backUntil: number;
}

export const START: Watch = { downSince: null, told: false, backUntil: 0 };

export function watch(before: Watch, link: Link, now: number): Watch {
  if (link.status === "up") {
    if (before.downSince === null) return before;
    return { downSince: null, told: false, backUntil: before.told ? now + BACK_MS : 0 };
  }
  const downSince = before.downSince ?? now;
  const told = before.told || bannerFor(link, downSince, now).kind !== "none";
  return downSince === before.downSince && told === before.told ? before : { downSince, told, backUntil: 0 };
}

export function bannerOf(watched: Watch, link: Link, now: number): Banner {
  if (link.status === "up") return now < watched.backUntil ? { kind: "back" } : { kind: "none" };
  if (watched.told && link.status === "connecting") return { kind: "connecting" };
  return bannerFor(link, watched.downSince ?? now, now);
}

function bannerFor(link: Link, downSince: number, now: number): Banner {
  switch (link.status) {
    case "up":
      return { kind: "none" };
    case "offline":
      return { kind: "offline" };
    case "stopped":
      return { kind: "stopped", reason: link.reason };
    case "connecting":
      return now - downSince < QUIET_MS ? { kind: "none" } : { kind: "connecting" };
    case "waiting":
      if (now - downSince < QUIET_MS && link.retryAt - downSince < QUIET_MS) return { kind: "none" };
      return { kind: "waiting", seconds: Math.max(0, Math.ceil((link.retryAt - now) / 1000)) };
  }
}
