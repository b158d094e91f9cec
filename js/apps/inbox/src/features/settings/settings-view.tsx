// The settings: one's name, appearance, sound, and the way out.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { t } from "../../i18n";
import { Avatar } from "../../ui/avatar";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Choice, Field, Switch } from "../../ui/field";
import type { Preferences, Theme } from "./model";
import css from "./settings.module.css";

export interface SettingsViewProps {
  name: string;
  username: string;
  userId: string;
  preferences: Preferences;
  nameState: "idle" | "saving" | "saved" | "error";
  /** Whether the server lets one change the name here. */
  canRename: boolean;
  onName: (name: string) => void;
  onPreferences: (preferences: Preferences) => void;
  onSignOut: () => void;
  onClose: () => void;
}

const THEMES = [
  { value: "system", label: t("settings.theme.system"), icon: "screen" },
  { value: "light", label: t("settings.theme.light"), icon: "sun" },
  { value: "dark", label: t("settings.theme.dark"), icon: "moon" },
] as const;

export function SettingsView(props: SettingsViewProps): JSX.Element {
  const { preferences, onPreferences } = props;
  const [name, setName] = useState(props.name);
  const changed = name.trim() !== "" && name.trim() !== props.name;
  return (
    <Dialog title={t("settings.title")} onClose={props.onClose}>
      <div class={css.root}>
        <div class={css.who}>
          <Avatar name={props.name} seed={props.username || props.userId} />
          <span class={css.names}>
            <strong dir="auto">{props.name}</strong>
            <span>{t("settings.signedin", { name: props.username })}</span>
          </span>
        </div>
        {props.canRename ? (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (changed) props.onName(name.trim());
            }}
          >
            <Field
              label={t("settings.name")}
              value={name}
              onInput={setName}
              maxLength={64}
              autocomplete="name"
              error={props.nameState === "error" ? t("settings.name.error") : null}
              after={
                <Button type="submit" disabled={!changed || props.nameState === "saving"}>
                  {t(props.nameState === "saved" && !changed ? "settings.name.saved" : "settings.name.save")}
                </Button>
              }
            />
          </form>
        ) : null}
        <Choice<Theme>
          label={t("settings.theme")}
          value={preferences.theme}
          options={THEMES}
          onChange={(theme) => onPreferences({ ...preferences, theme })}
        />
        <Switch
          label={t("settings.sound")}
          hint={t("settings.sound.hint")}
          on={preferences.sound}
          onChange={(sound) => onPreferences({ ...preferences, sound })}
        />
        <Button kind="danger" icon="leave" wide onClick={props.onSignOut}>
          {t("settings.signout")}
        </Button>
      </div>
    </Dialog>
  );
}
