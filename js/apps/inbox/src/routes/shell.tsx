// The frame of the inbox: banner, list, conversation and panel; on a phone one of them at a time.
import type { ComponentChildren, JSX } from "preact";
import { t } from "../i18n";
import { Avatar } from "../ui/avatar";
import { IconButton } from "../ui/button";
import { Logo } from "../ui/logo";
import css from "./shell.module.css";

export interface ShellProps {
  /** What a phone shows. */
  screen: "list" | "conversation";
  me: { name: string; seed: string };
  banner: ComponentChildren;
  list: ComponentChildren;
  children: ComponentChildren;
  panel: ComponentChildren;
  onNew: () => void;
  onSettings: () => void;
}

export function Shell(props: ShellProps): JSX.Element {
  const { me } = props;
  return (
    <div class={css.root} data-screen={props.screen}>
      <button type="button" class={css.skip} onClick={skip}>
        {t("app.skip")}
      </button>
      {props.banner}
      <div class={css.columns}>
        <div class={css.sidebar}>
          <header class={css.header}>
            <Logo size={30} />
            <p class={css.brand}>{t("app.name")}</p>
            <IconButton icon="compose" label={t("list.new")} onClick={props.onNew} />
            <button
              type="button"
              class={css.account}
              aria-label={t("settings.open")}
              title={t("settings.open")}
              onClick={props.onSettings}
            >
              <Avatar name={me.name} seed={me.seed} size="s" />
            </button>
          </header>
          {props.list}
        </div>
        <div class={css.main}>{props.children}</div>
        {props.panel}
      </div>
    </div>
  );
}

function skip(): void {
  const target = document.querySelector<HTMLElement>("#conversation textarea, #conversation section");
  target?.focus();
}
