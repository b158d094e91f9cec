// The messages of a conversation, with what comes before, between and after them.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../../i18n";
import { formatDay } from "../../i18n/dates";
import { Button } from "../../ui/button";
import { Icon } from "../../ui/icon";
import { Empty, Skeleton, Spinner } from "../../ui/state";
import { type MessageActions, MessageView } from "./message-view";
import { groupByDay, type Row } from "./model";
import css from "./timeline.module.css";
import { useScroll } from "./use-scroll";

export interface TimelineViewProps {
  rows: readonly Row[];
  status: "loading" | "ready" | "error";
  group: boolean;
  hasOlder: boolean;
  loadingOlder: boolean;
  olderFailed: boolean;
  hasNewer: boolean;
  /** New messages below what is in sight. */
  newCount: number;
  typing: string | null;
  now: Date;
  /** What a screen reader is told when a message arrives. */
  announcement: string;
  actions: MessageActions;
  /** A message to bring into sight; `at` makes the same wish twice two wishes. */
  jump: { id: number; at: number } | null;
  /** Counts one's own sends: each goes to the end. */
  sends: number;
  onOlder: () => void;
  onNewer: () => void;
  onSeen: (seq: number, atEnd: boolean) => void;
  onLatest: () => void;
  onRetry: () => void;
}

export function TimelineView(props: TimelineViewProps): JSX.Element {
  const { rows, status, jump, sends } = props;
  const [highlighted, setHighlighted] = useState<number | null>(null);
  const [roving, setRoving] = useState<string | null>(null);
  const scroll = useScroll({
    rows,
    canLoadOlder: props.hasOlder && !props.loadingOlder && !props.olderFailed,
    canLoadNewer: props.hasNewer,
    onOlder: props.onOlder,
    onNewer: props.onNewer,
    onSeen: props.onSeen,
  });
  const { toEnd, toKey } = scroll;

  const sendsBefore = useRef(sends);
  useEffect(() => {
    if (sends !== sendsBefore.current) toEnd(false);
    sendsBefore.current = sends;
  }, [sends, toEnd]);

  useEffect(() => {
    if (!jump || !toKey(`[data-message="${jump.id}"]`)) return undefined;
    setHighlighted(jump.id);
    const timer = setTimeout(() => setHighlighted(null), 1_800);
    return () => clearTimeout(timer);
  }, [jump, toKey]);

  const keys = rows.flatMap((row) => (row.kind === "message" ? [row.key] : []));
  const reachable = roving !== null && keys.includes(roving) ? roving : (keys[keys.length - 1] ?? null);
  const walk = (event: KeyboardEvent): void => {
    const on = event.target as HTMLElement;
    if (!on.dataset.key || !["ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return;
    event.preventDefault();
    const at = keys.indexOf(on.dataset.key);
    const to =
      event.key === "Home"
        ? 0
        : event.key === "End"
          ? keys.length - 1
          : at + (event.key === "ArrowUp" ? -1 : 1);
    const key = keys[Math.max(0, Math.min(keys.length - 1, to))];
    if (key === undefined) return;
    setRoving(key);
    scroll.content.current?.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`)?.focus();
  };

  if (status === "error" && rows.length === 0) {
    return (
      <div class={css.root}>
        <Empty
          icon="alert"
          tone="error"
          title={t("conversation.error.title")}
          text={t("conversation.error.text")}
        >
          <Button onClick={props.onRetry}>{t("common.retry")}</Button>
        </Empty>
      </div>
    );
  }

  return (
    <div class={css.root}>
      <section
        ref={scroll.scroller}
        class={css.scroller}
        onScroll={scroll.onScroll}
        aria-label={t("conversation.messages")}
        aria-busy={status === "loading"}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
      >
        {status === "loading" && rows.length === 0 ? <TimelineSkeleton /> : null}
        {status === "ready" && rows.length === 0 ? (
          <Empty icon="bubble" title={t("conversation.empty.title")} text={t("conversation.empty.text")} />
        ) : null}
        <Top {...props} />
        {/* biome-ignore lint/a11y/noStaticElementInteractions: the arrow keys walk through the messages inside */}
        <div
          ref={scroll.content}
          class={css.list}
          onKeyDown={walk}
          onFocusCapture={(event) => rememberFocus(event, setRoving)}
          onFocusOut={(event) => {
            // Who comes back begins at the newest message.
            if (event.relatedTarget instanceof Element && !event.currentTarget.contains(event.relatedTarget))
              setRoving(null);
          }}
        >
          {groupByDay(rows).map((day) => (
            <div key={day.key}>
              {day.at ? (
                <h2 class={css.day}>
                  <span>{formatDay(day.at, props.now)}</span>
                </h2>
              ) : null}
              <ol>
                {day.rows.map((row) => (
                  <RowView
                    key={row.key}
                    row={row}
                    props={props}
                    reachable={row.key === reachable}
                    highlighted={highlighted}
                  />
                ))}
              </ol>
            </div>
          ))}
        </div>
        <p class={css.typing}>
          {props.typing ? (
            <>
              <span class={css.dots} aria-hidden="true">
                <i />
                <i />
                <i />
              </span>
              <span dir="auto">{props.typing}</span>
            </>
          ) : null}
        </p>
      </section>
      <p class="visually-hidden" aria-live="polite" data-testid="announcement">
        {props.announcement}
      </p>
      {scroll.atEnd && !props.hasNewer ? null : (
        <button
          type="button"
          class={`${css.pill} ${props.newCount > 0 ? css.pillNew : ""}`}
          onClick={() => {
            if (props.hasNewer) props.onLatest();
            else toEnd(true);
          }}
        >
          <Icon name="down" size={18} />
          {props.newCount > 0 ? (
            t("conversation.pill", { count: props.newCount })
          ) : (
            <span class="visually-hidden">{t("conversation.bottom")}</span>
          )}
        </button>
      )}
    </div>
  );
}

function rememberFocus(event: FocusEvent, set: (key: string) => void): void {
  const row = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-message]") : null;
  if (row?.dataset.key) set(row.dataset.key);
}

interface RowViewProps {
  row: Row;
  props: TimelineViewProps;
  reachable: boolean;
  highlighted: number | null;
}

function RowView({ row, props, reachable, highlighted }: RowViewProps): JSX.Element | null {
  switch (row.kind) {
    case "day":
      return null;
    case "unread":
      return (
        <li class={css.unread} data-key="unread">
          <span>{t("conversation.unread")}</span>
        </li>
      );
    case "notice":
      return (
        <li class={css.notice} data-key={row.key} data-anchor="">
          <span dir="auto">{row.text}</span>
        </li>
      );
    case "message":
      return (
        <MessageView
          entry={row.entry}
          first={row.first}
          last={row.last}
          group={props.group}
          reachable={reachable}
          highlighted={row.entry.id !== null && row.entry.id === highlighted}
          actions={props.actions}
        />
      );
  }
}

function Top({ status, rows, hasOlder, loadingOlder, olderFailed, onOlder }: TimelineViewProps): JSX.Element {
  return (
    <div class={css.top}>
      {loadingOlder ? <Spinner label={t("conversation.older")} /> : null}
      {olderFailed && !loadingOlder ? (
        <>
          <span>{t("conversation.older.error")}</span>
          <Button onClick={onOlder}>{t("common.retry")}</Button>
        </>
      ) : null}
      {status === "ready" && rows.length > 0 && !hasOlder ? (
        <span class={css.start}>{t("conversation.start")}</span>
      ) : null}
    </div>
  );
}

const SHAPES = [
  { width: "38%", height: "38px", own: false },
  { width: "54%", height: "58px", own: false },
  { width: "32%", height: "38px", own: true },
  { width: "46%", height: "38px", own: false },
  { width: "50%", height: "76px", own: true },
  { width: "26%", height: "38px", own: true },
];

function TimelineSkeleton(): JSX.Element {
  return (
    <div class={css.skeleton} role="status">
      <span class="visually-hidden">{t("conversation.loading")}</span>
      {SHAPES.map((shape, index) => (
        <span key={index} class={shape.own ? css.skeletonOwn : css.skeletonOther}>
          <Skeleton width={shape.width} height={shape.height} />
        </span>
      ))}
    </div>
  );
}
