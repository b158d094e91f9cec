// Keeps the reader's place: at the bottom while he is there, at the message he reads when older ones come above it.
import type { RefObject } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Row } from "./model";

/** This near to the end counts as the end. */
const NEAR_END = 48;
/** Older messages are asked for before the reader gets there. */
const NEAR_START = 700;

interface Anchor {
  key: string;
  top: number;
}

export interface ScrollOptions {
  rows: readonly Row[];
  /** Where there is more above and it may be asked for. */
  canLoadOlder: boolean;
  canLoadNewer: boolean;
  onOlder: () => void;
  onNewer: () => void;
  /** The newest seq that has been before the reader's eyes. */
  onSeen: (seq: number, atEnd: boolean) => void;
}

export interface Scroll {
  scroller: RefObject<HTMLDivElement | null>;
  content: RefObject<HTMLDivElement | null>;
  atEnd: boolean;
  onScroll: () => void;
  toEnd: (smooth: boolean) => void;
  /** Brings a row into the middle; false when it is not there. */
  toKey: (selector: string) => boolean;
}

export function useScroll(options: ScrollOptions): Scroll {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const latest = useRef(options);
  latest.current = options;
  const anchor = useRef<Anchor | null>(null);
  const stuck = useRef(true);
  const placed = useRef(false);
  const size = useRef({ height: 0, content: 0 });
  const [atEnd, setAtEnd] = useState(true);

  const distanceToEnd = (el: HTMLElement): number => el.scrollHeight - el.clientHeight - el.scrollTop;

  /** Remembers the first row in sight, and tells how far the reader has got. */
  const observe = useCallback(() => {
    const el = scroller.current;
    const list = content.current;
    if (!el || !list || !placed.current) return;
    size.current = { height: el.clientHeight, content: el.scrollHeight };
    const atEndNow = distanceToEnd(el) < NEAR_END && !latest.current.canLoadNewer;
    stuck.current = atEndNow;
    setAtEnd(atEndNow);
    const items = list.querySelectorAll<HTMLElement>("[data-anchor]");
    const firstAt = firstBelow(items, el.scrollTop);
    const first = items[firstAt];
    anchor.current =
      first instanceof HTMLElement && first.dataset.key
        ? { key: first.dataset.key, top: first.offsetTop }
        : null;
    let seen = 0;
    for (let i = firstAt; i < items.length; i++) {
      const item = items[i];
      if (!item || item.offsetTop + 20 > el.scrollTop + el.clientHeight) break;
      seen = Math.max(seen, Number(item.dataset.seq ?? 0));
    }
    latest.current.onSeen(seen, atEndNow);
    if (latest.current.canLoadOlder && el.scrollTop < NEAR_START) latest.current.onOlder();
    if (latest.current.canLoadNewer && distanceToEnd(el) < NEAR_START) latest.current.onNewer();
  }, []);

  /** After any change of content or size: back to the end, or to the row that was in sight. */
  const restore = useCallback(() => {
    const el = scroller.current;
    const list = content.current;
    if (!el || !list) return;
    if (stuck.current) {
      el.scrollTop = el.scrollHeight;
    } else if (anchor.current) {
      const row = list.querySelector<HTMLElement>(`[data-key="${CSS.escape(anchor.current.key)}"]`);
      const moved = row ? row.offsetTop - anchor.current.top : 0;
      if (moved !== 0) el.scrollTop += moved;
    }
    observe();
  }, [observe]);

  /** A scroll event may tell of a change of size that has not been seen yet: that is no scrolling of the reader's. */
  const onScroll = useCallback(() => {
    const el = scroller.current;
    if (!el) return;
    const resized = el.clientHeight !== size.current.height || el.scrollHeight !== size.current.content;
    if (resized) restore();
    else observe();
  }, [observe, restore]);

  useLayoutEffect(() => {
    const el = scroller.current;
    if (!el || options.rows.length === 0) return;
    if (!placed.current) {
      placed.current = true;
      const divider = content.current?.querySelector<HTMLElement>("[data-key='unread']");
      if (divider) {
        el.scrollTop = divider.offsetTop - el.clientHeight * 0.25;
        stuck.current = distanceToEnd(el) < NEAR_END;
        observe();
        return;
      }
    }
    restore();
  }, [options.rows, options.canLoadOlder, restore, observe]);

  useEffect(() => {
    const el = scroller.current;
    const list = content.current;
    if (!el || !list) return undefined;
    const watcher = new ResizeObserver(restore);
    watcher.observe(el);
    watcher.observe(list);
    return () => watcher.disconnect();
  }, [restore]);

  const toEnd = useCallback((smooth: boolean) => {
    const el = scroller.current;
    if (!el) return;
    stuck.current = true;
    el.scrollTo({ top: el.scrollHeight, behavior: smooth ? "smooth" : "instant" });
    setAtEnd(true);
  }, []);

  const toKey = useCallback((selector: string): boolean => {
    const el = scroller.current;
    const row = content.current?.querySelector<HTMLElement>(selector);
    if (!el || !row) return false;
    stuck.current = false;
    el.scrollTop = row.offsetTop - (el.clientHeight - row.offsetHeight) / 2;
    return true;
  }, []);

  return { scroller, content, atEnd, onScroll, toEnd, toKey };
}

/** The first message whose end lies below `top`, found by halving. */
function firstBelow(items: NodeListOf<HTMLElement>, top: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const item = items[middle];
    if (item && item.offsetTop + item.offsetHeight > top) high = middle;
    else low = middle + 1;
  }
  return low;
}
