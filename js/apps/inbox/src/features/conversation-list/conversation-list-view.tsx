// The list of conversations: a search on top, one link for each, walked with the arrow keys.
import type { JSX } from "preact";
import { memo } from "preact/compat";
import { useRef, useState } from "preact/hooks";
import { t } from "../../i18n";
import { formatFull, formatListTime } from "../../i18n/dates";
import { Avatar } from "../../ui/avatar";
import { Button } from "../../ui/button";
import { SearchField } from "../../ui/field";
import { Empty, Skeleton, Spinner } from "../../ui/state";
import { Ticks } from "../../ui/ticks";
import css from "./conversation-list.module.css";
import { badgeText, type ListRow, type Preview, searchRows } from "./model";

export interface ConversationListViewProps {
  rows: readonly ListRow[];
  status: "loading" | "ready" | "error";
  selected: number | null;
  now: Date;
  hasMore: boolean;
  onMore: () => void;
  onOpen: (id: number) => void;
  onNew: () => void;
  onRetry: () => void;
}

export function ConversationListView(props: ConversationListViewProps): JSX.Element {
  const { rows, status, selected, now, onOpen } = props;
  const [query, setQuery] = useState("");
  const [roving, setRoving] = useState<number | null>(null);
  const list = useRef<HTMLUListElement>(null);
  const found = searchRows(rows, query);
  const reachable = found.some((row) => row.id === roving)
    ? roving
    : found.some((row) => row.id === selected)
      ? selected
      : (found[0]?.id ?? null);

  const focusLink = (step: number | "first" | "last"): void => {
    const links = [...(list.current?.querySelectorAll<HTMLAnchorElement>("a") ?? [])];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    const to = step === "first" ? 0 : step === "last" ? links.length - 1 : at + step;
    links[Math.max(0, Math.min(links.length - 1, to))]?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const steps: Record<string, number | "first" | "last"> = {
      ArrowDown: 1,
      ArrowUp: -1,
      Home: "first",
      End: "last",
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    focusLink(step);
  };

  return (
    <div class={css.root}>
      <div class={css.search}>
        <SearchField
          label={t("list.search")}
          clearLabel={t("list.clear")}
          value={query}
          onInput={setQuery}
          onKeyDown={(event) => {
            const firstFound = found[0];
            if (event.key === "ArrowDown") {
              event.preventDefault();
              focusLink("first");
            } else if (event.key === "Enter" && query.trim() !== "" && firstFound) {
              setQuery("");
              onOpen(firstFound.id);
            }
          }}
        />
      </div>
      <nav
        class={css.scroller}
        aria-label={t("list.title")}
        onScroll={(event) => {
          const el = event.currentTarget;
          if (props.hasMore && el.scrollHeight - el.scrollTop - el.clientHeight < 600) props.onMore();
        }}
      >
        {status === "loading" && rows.length === 0 ? <ListSkeleton /> : null}
        {status === "error" && rows.length === 0 ? (
          <Empty icon="alert" tone="error" title={t("list.error")}>
            <Button onClick={props.onRetry}>{t("common.retry")}</Button>
          </Empty>
        ) : null}
        {status === "ready" && rows.length === 0 ? (
          <Empty icon="bubble" title={t("list.empty.title")} text={t("list.empty.text")}>
            <Button kind="primary" onClick={props.onNew}>
              {t("list.empty.action")}
            </Button>
          </Empty>
        ) : null}
        {rows.length > 0 && found.length === 0 ? (
          <Empty icon="search" title={t("list.none", { query: query.trim() })} text={t("list.none.hint")}>
            <Button onClick={props.onNew}>{t("list.new")}</Button>
          </Empty>
        ) : null}
        {/* The arrow keys walk through the links inside. */}
        <ul ref={list} class={css.list} onKeyDown={onKeyDown}>
          {found.map((row) => (
            <li key={row.id}>
              <Row
                row={row}
                selected={row.id === selected}
                reachable={row.id === reachable}
                time={row.at ? formatListTime(row.at, now) : ""}
                onOpen={onOpen}
                onFocus={setRoving}
              />
            </li>
          ))}
        </ul>
        {props.hasMore && rows.length > 0 && query === "" ? (
          <div class={css.more}>
            <Spinner label={t("list.more")} />
          </div>
        ) : null}
      </nav>
    </div>
  );
}

interface RowProps {
  row: ListRow;
  selected: boolean;
  reachable: boolean;
  time: string;
  onOpen: (id: number) => void;
  onFocus: (id: number) => void;
}

const Row = memo(function Row({ row, selected, reachable, time, onOpen, onFocus }: RowProps): JSX.Element {
  return (
    <a
      href={`/c/${row.id}`}
      class={`${css.row} ${selected ? css.selected : ""} ${row.unread > 0 ? css.unread : ""}`}
      aria-current={selected ? "page" : undefined}
      tabIndex={reachable ? 0 : -1}
      data-conversation={row.id}
      onFocus={() => onFocus(row.id)}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        onOpen(row.id);
      }}
    >
      <Avatar name={row.title} seed={row.seed} group={row.group} dot={row.presence} />
      <span class={css.main}>
        <span class={css.line}>
          <span class={css.title} dir="auto">
            {row.title}
          </span>
          {row.presence && row.presence !== "offline" ? (
            <span class="visually-hidden">, {t(`presence.${row.presence}`)}</span>
          ) : null}
          {row.delivery ? <Ticks state={row.delivery} /> : null}
          {row.at ? (
            <time class={css.time} dateTime={row.at.toISOString()} title={formatFull(row.at)}>
              {time}
            </time>
          ) : null}
        </span>
        <span class={css.line}>
          <PreviewText preview={row.preview} />
          {row.unread > 0 ? (
            <span class={css.badge}>
              <span aria-hidden="true">{badgeText(row.unread)}</span>
              <span class="visually-hidden">{t("list.unread", { count: row.unread })}</span>
            </span>
          ) : null}
        </span>
      </span>
    </a>
  );
});

function PreviewText({ preview }: { preview: Preview }): JSX.Element {
  switch (preview.kind) {
    case "text":
      return (
        <span class={css.preview} dir="auto">
          {preview.by === null ? preview.text : t("list.by", { name: preview.by, text: preview.text })}
        </span>
      );
    case "typing":
      return <span class={`${css.preview} ${css.typing}`}>{preview.text}</span>;
    case "draft":
      return (
        <span class={css.preview} dir="auto">
          <span class={css.draft}>{t("list.draft", { text: "" })}</span>
          {preview.text}
        </span>
      );
    case "deleted":
      return <span class={`${css.preview} ${css.faint}`}>{t("list.deleted")}</span>;
    case "nothing":
      return <span class={`${css.preview} ${css.faint}`}>{t("list.nothing")}</span>;
  }
}

function ListSkeleton(): JSX.Element {
  return (
    <div role="status">
      <span class="visually-hidden">{t("app.loading")}</span>
      {[62, 44, 70, 52, 58, 40, 66].map((width) => (
        <div key={width} class={css.row}>
          <Skeleton width="46px" height="46px" round />
          <span class={css.main} style={{ gap: "10px" }}>
            <Skeleton width={`${width}%`} height="12px" />
            <Skeleton width={`${width + 22}%`} height="10px" />
          </span>
        </div>
      ))}
    </div>
  );
}
