// A conversation: who it is with on top, the messages, and below them the place to write or why one cannot.
import type { ComponentChildren, JSX } from "preact";
import { t } from "../../i18n";
import { Avatar, type Dot } from "../../ui/avatar";
import { IconButton } from "../../ui/button";
import { Skeleton } from "../../ui/state";
import css from "./conversation.module.css";

export interface ConversationHeader {
  title: string;
  seed: string;
  group: boolean;
  presence: Dot;
  /** "Online", "5 people, 2 online", "Alice is typing". */
  status: string;
  typing: boolean;
}

export interface ConversationViewProps {
  /** null while it loads. */
  header: ConversationHeader | null;
  detailsOpen: boolean;
  onBack: () => void;
  onDetails: () => void;
  timeline: ComponentChildren;
  composer: ComponentChildren;
}

export function ConversationView(props: ConversationViewProps): JSX.Element {
  const { header } = props;
  return (
    <main class={css.root} id="conversation" aria-label={header?.title ?? t("conversation.loading")}>
      <header class={css.header}>
        <span class={css.back}>
          <IconButton icon="back" label={t("conversation.back")} onClick={props.onBack} />
        </span>
        {header ? (
          <button type="button" class={css.who} aria-expanded={props.detailsOpen} onClick={props.onDetails}>
            <Avatar
              name={header.title}
              seed={header.seed}
              group={header.group}
              size="s"
              dot={header.presence}
            />
            <span class={css.names}>
              <h1 class={css.title} dir="auto">
                {header.title}
              </h1>
              <span class={`${css.status} ${header.typing ? css.typing : ""}`} data-testid="status">
                {header.status}
              </span>
            </span>
          </button>
        ) : (
          <span class={css.who}>
            <Skeleton width="36px" height="36px" round />
            <Skeleton width="140px" height="13px" />
          </span>
        )}
        <IconButton
          icon="info"
          label={t("conversation.details")}
          aria-pressed={props.detailsOpen}
          onClick={props.onDetails}
        />
      </header>
      {props.timeline}
      <footer class={css.footer}>{props.composer}</footer>
    </main>
  );
}

/** Stands in the place of the composer where one cannot write. */
export function WriteNotice({ text, children }: { text: string; children?: ComponentChildren }): JSX.Element {
  return (
    <p class={css.notice}>
      <span>{text}</span>
      {children}
    </p>
  );
}
