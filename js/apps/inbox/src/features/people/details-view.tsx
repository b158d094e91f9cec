// The panel beside a conversation: who is in it, and how to leave, add, remove or block.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../../i18n";
import { formatSeen } from "../../i18n/dates";
import { Avatar } from "../../ui/avatar";
import { Button, IconButton } from "../../ui/button";
import { type Member, type Rights, sortMembers } from "./model";
import css from "./people.module.css";

export interface DetailsViewProps {
  title: string;
  seed: string;
  group: boolean;
  subject: string | null;
  since: string;
  status: string;
  members: readonly Member[];
  memberCount: number;
  rights: Rights;
  /** Only for a direct conversation: the other one; null while it is not known whether he is blocked. */
  blocked: boolean | null;
  failed: boolean;
  now: Date;
  onClose: () => void;
  onAdd: () => void;
  onLeave: () => void;
  onRemove: (member: Member) => void;
  onBlock: () => void;
  onUnblock: () => void;
}

export function DetailsView(props: DetailsViewProps): JSX.Element {
  const { group, members, rights, now } = props;
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => close.current?.focus(), []);
  return (
    // Esc closes the panel wherever the focus is in it.
    <aside
      class={css.panel}
      aria-label={t("details.title")}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !event.defaultPrevented) props.onClose();
      }}
    >
      <header class={css.panelHeader}>
        <h2 class={css.panelTitle}>{t("details.title")}</h2>
        <IconButton icon="close" label={t("details.close")} buttonRef={close} onClick={props.onClose} />
      </header>
      <div class={css.panelBody}>
        <div class={css.card}>
          <Avatar name={props.title} seed={props.seed} group={group} size="l" />
          <p class={css.cardTitle} dir="auto">
            {props.title}
          </p>
          <p class={css.sub}>{props.status}</p>
          <p class={css.fact}>{t("details.since", { when: props.since })}</p>
          {props.subject ? (
            <p class={css.subject} dir="auto">
              {t("details.subject", { subject: props.subject })}
            </p>
          ) : null}
        </div>
        {group ? (
          <section aria-labelledby="people-title">
            <div class={css.sectionHead}>
              <h3 id="people-title" class={css.sectionTitle}>
                {t("conversation.members", { count: props.memberCount })}
              </h3>
              {rights.add ? (
                <Button kind="plain" icon="plus" onClick={props.onAdd}>
                  {t("details.add")}
                </Button>
              ) : null}
            </div>
            <ul>
              {sortMembers(members).map((member) => (
                <li key={member.id} class={css.member}>
                  <Avatar name={member.name} seed={member.username} size="s" dot={member.presence} />
                  <span class={css.names}>
                    <span class={css.name} dir="auto">
                      {member.name}
                      {member.self ? <span class={css.you}> ({t("role.you")})</span> : null}
                    </span>
                    <span class={css.sub}>{presenceText(member, now)}</span>
                  </span>
                  {member.role === "member" ? null : <span class={css.role}>{t(`role.${member.role}`)}</span>}
                  {rights.remove(member) ? (
                    <IconButton
                      icon="close"
                      size="s"
                      label={t("details.remove", { name: member.name })}
                      onClick={() => props.onRemove(member)}
                    />
                  ) : null}
                </li>
              ))}
            </ul>
          </section>
        ) : null}
        <p class={css.error} role="alert">
          {props.failed ? t("details.failed") : null}
        </p>
        <div class={css.panelActions}>
          {rights.leave ? (
            <Button kind="danger" icon="leave" wide onClick={props.onLeave}>
              {t("details.leave")}
            </Button>
          ) : null}
          {!group && props.blocked !== null ? (
            <Button
              kind={props.blocked ? "quiet" : "danger"}
              icon="block"
              wide
              onClick={props.blocked ? props.onUnblock : props.onBlock}
            >
              {t(props.blocked ? "details.unblock" : "details.block", { name: props.title })}
            </Button>
          ) : null}
        </div>
      </div>
    </aside>
  );
}

export function presenceText(member: Pick<Member, "presence" | "lastSeen">, now: Date): string {
  if (member.presence === "offline" && member.lastSeen) {
    return t("presence.seen", { when: formatSeen(member.lastSeen, now) });
  }
  return t(`presence.${member.presence}`);
}
