// What the browser's frame shows and tells: the title with its count, the icon, whether somebody is looking.
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n";

/** "(3) Bob · Parlour" */
export function pageTitle(unread: number, conversation: string | null): string {
  const name = conversation === null ? t("app.name") : `${conversation} · ${t("app.name")}`;
  return unread > 0 ? `(${unread > 99 ? "99+" : unread}) ${name}` : name;
}

export function usePageTitle(unread: number, conversation: string | null): void {
  useEffect(() => {
    document.title = pageTitle(unread, conversation);
    const icon = document.querySelector<HTMLLinkElement>("link[rel='icon']");
    const href = unread > 0 ? "/favicon-unread.svg" : "/favicon.svg";
    if (icon && icon.getAttribute("href") !== href) icon.setAttribute("href", href);
  }, [unread, conversation]);
}

export function isLooking(): boolean {
  return document.visibilityState === "visible" && document.hasFocus();
}

/** Whether somebody is at this page now. */
export function useLooking(): boolean {
  const [looking, setLooking] = useState(isLooking);
  useEffect(() => {
    const update = (): void => setLooking(isLooking());
    addEventListener("focus", update);
    addEventListener("blur", update);
    document.addEventListener("visibilitychange", update);
    update();
    return () => {
      removeEventListener("focus", update);
      removeEventListener("blur", update);
      document.removeEventListener("visibilitychange", update);
    };
  }, []);
  return looking;
}

/** Nobody has moved anything for this long: away. */
const IDLE_MS = 5 * 60_000;

/** Tells when nobody is at the screen, and when somebody is again. */
export function useIdle(onChange: (idle: boolean) => void): void {
  useEffect(() => {
    let idle = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const set = (next: boolean): void => {
      if (next !== idle) onChange(next);
      idle = next;
    };
    const active = (): void => {
      clearTimeout(timer);
      if (document.visibilityState === "visible") set(false);
      timer = setTimeout(() => set(true), IDLE_MS);
    };
    const signs = ["pointerdown", "pointermove", "keydown", "wheel", "visibilitychange"] as const;
    for (const sign of signs) document.addEventListener(sign, active, { passive: true });
    active();
    return () => {
      clearTimeout(timer);
      for (const sign of signs) document.removeEventListener(sign, active);
    };
  }, [onChange]);
}

/** The time, renewed every half minute: "5 minutes ago" grows old. */
export function useNow(): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), 30_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
