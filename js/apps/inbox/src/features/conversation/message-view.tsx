// One message: its bubble with quote, text, time and ticks, and the ways to act on it.
import type { JSX } from "preact";
import { memo } from "preact/compat";
import { t } from "../../i18n";
import { formatClock, formatFull } from "../../i18n/dates";
import { Avatar } from "../../ui/avatar";
import { hueOf } from "../../ui/avatar-model";
import { Icon } from "../../ui/icon";
import { Ticks } from "../../ui/ticks";
import css from "./message.module.css";
import { MessageText } from "./message-text";
import type { MessageEntry, Quote } from "./model";
import { isJumbo } from "./text";

export interface MessageActions {
  onMenu: (entry: MessageEntry, anchor: DOMRect) => void;
  onReply: (entry: MessageEntry) => void;
  onJump: (id: number) => void;
  onRetry: (entry: MessageEntry) => void;
  onDiscard: (entry: MessageEntry) => void;
}

export interface MessageViewProps {
  entry: MessageEntry;
  first: boolean;
  last: boolean;
  group: boolean;
  reachable: boolean;
  highlighted: boolean;
  actions: MessageActions;
}

export const MessageView = memo(function MessageView(props: MessageViewProps): JSX.Element {
  const { entry, first, last, group, actions } = props;
  const jumbo = entry.text !== null && entry.quote === null && isJumbo(entry.text);
  const side = entry.own ? css.own : css.other;
  const openMenu = (element: Element): void => actions.onMenu(entry, element.getBoundingClientRect());

  return (
    <li
      class={`${css.row} ${side} ${first ? css.first : ""} ${last ? css.last : ""} ${props.highlighted ? css.highlighted : ""}`}
      data-key={entry.key}
      data-anchor=""
      data-seq={entry.seq ?? undefined}
      data-message={entry.id ?? undefined}
      // One message at a time takes the focus, the arrow keys move it.
      tabIndex={props.reachable ? 0 : -1}
      onKeyDown={(event) => {
        if (event.target !== event.currentTarget) return;
        if (event.key === "Enter" || event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) {
          event.preventDefault();
          openMenu(event.currentTarget.querySelector(`.${css.bubble}`) ?? event.currentTarget);
        } else if (
          event.key === "r" &&
          !event.ctrlKey &&
          !event.metaKey &&
          !entry.deleted &&
          entry.id !== null
        ) {
          event.preventDefault();
          actions.onReply(entry);
        }
      }}
    >
      {group && !entry.own ? (
        <span class={css.face}>
          {last ? <Avatar name={entry.senderName} seed={entry.senderSeed} size="xs" /> : null}
        </span>
      ) : null}
      <div class={css.column}>
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the same menu is a button and a key for those who cannot tap */}
        {/* biome-ignore lint/a11y/noStaticElementInteractions: likewise */}
        <div
          class={`${css.bubble} ${jumbo ? css.jumbo : ""} ${entry.deleted ? css.gone : ""}`}
          onContextMenu={(event) => {
            if (entry.deleted || event.target instanceof HTMLAnchorElement || !getSelection()?.isCollapsed)
              return;
            event.preventDefault();
            openMenu(event.currentTarget);
          }}
          onClick={(event) => {
            const touched = (event as unknown as PointerEvent).pointerType === "touch";
            const onControl = event.target instanceof Element && event.target.closest("a, button") !== null;
            if (touched && !onControl && !entry.deleted) openMenu(event.currentTarget);
          }}
        >
          <span class="visually-hidden">{entry.own ? t("message.you") : entry.senderName}: </span>
          {group && !entry.own && first ? (
            <span
              class={`${css.sender} ${css[`name${hueOf(entry.senderSeed)}`]}`}
              aria-hidden="true"
              dir="auto"
            >
              {entry.senderName}
            </span>
          ) : null}
          {entry.quote ? (
            <QuoteView quote={entry.quote} reachable={props.reachable} onJump={actions.onJump} />
          ) : null}
          <div class={css.text} dir="auto">
            {entry.text === null ? (
              <span class={css.tombstone}>
                <Icon name="block" size={15} /> {t(entry.own ? "message.deleted.own" : "message.deleted")}
              </span>
            ) : (
              <span data-testid="text">
                <MessageText text={entry.text} />
              </span>
            )}
            <span class={css.meta}>
              {entry.edited && !entry.deleted ? <span>{t("message.edited")}</span> : null}
              <time dateTime={entry.at.toISOString()} title={formatFull(entry.at)}>
                {formatClock(entry.at)}
              </time>
              {entry.own && !entry.deleted ? <OwnTicks entry={entry} group={group} /> : null}
            </span>
          </div>
        </div>
        {entry.delivery === "failed" ? (
          <div class={css.failed} role="alert">
            <span>{entry.error ? t("message.failed.why", { why: entry.error }) : t("message.failed")}</span>
            <button type="button" onClick={() => actions.onRetry(entry)}>
              {t("message.retry")}
            </button>
            <button type="button" onClick={() => actions.onDiscard(entry)}>
              {t("message.discard")}
            </button>
          </div>
        ) : null}
      </div>
      {entry.deleted ? null : (
        <button
          type="button"
          class={css.handle}
          tabIndex={-1}
          aria-label={t("message.actions")}
          aria-haspopup="menu"
          onClick={(event) => openMenu(event.currentTarget)}
        >
          <Icon name="more" size={18} />
        </button>
      )}
    </li>
  );
});

function OwnTicks({ entry, group }: { entry: MessageEntry; group: boolean }): JSX.Element {
  const label = group && entry.readBy > 0 ? t("message.readby", { count: entry.readBy }) : null;
  return <Ticks state={entry.delivery} {...(label ? { label } : {})} />;
}

interface QuoteViewProps {
  quote: Quote;
  reachable: boolean;
  onJump: (id: number) => void;
}

function QuoteView({ quote, reachable, onJump }: QuoteViewProps): JSX.Element {
  const text = quote.text ?? t("message.quote.gone");
  return (
    <button type="button" class={css.quote} tabIndex={reachable ? 0 : -1} onClick={() => onJump(quote.id)}>
      <span class="visually-hidden">{t("message.quote")} </span>
      <span class={css.quoteName} dir="auto">
        {quote.name}
      </span>
      <span class={css.quoteText} dir="auto">
        {text}
      </span>
    </button>
  );
}
