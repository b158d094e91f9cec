// Connects the settings with the browser's memory and the server.
import type { Me } from "@parlour/client";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { rename } from "../../platform/api";
import { type Preferences, savePreferences, themeAttribute } from "./model";
import { SettingsView } from "./settings-view";

export interface SettingsProps {
  me: Me;
  preferences: Preferences;
  onPreferences: (preferences: Preferences) => void;
  onRenamed: (name: string) => void;
  onSignOut: () => void;
  onClose: () => void;
}

export function Settings({
  me,
  preferences,
  onPreferences,
  onRenamed,
  onSignOut,
  onClose,
}: SettingsProps): JSX.Element {
  const [nameState, setNameState] = useState<"idle" | "saving" | "saved" | "error">("idle");
  const save = async (name: string): Promise<void> => {
    setNameState("saving");
    const answer = await rename(name);
    setNameState(answer.ok ? "saved" : "error");
    if (answer.ok) onRenamed(name);
  };
  return (
    <SettingsView
      name={me.name}
      username={me.username}
      userId={me.id}
      preferences={preferences}
      nameState={nameState}
      canRename
      onName={save}
      onPreferences={(next) => {
        const theme = themeAttribute(next.theme);
        if (theme) document.documentElement.dataset.theme = theme;
        else delete document.documentElement.dataset.theme;
        savePreferences(localStorage, next);
        onPreferences(next);
      }}
      onSignOut={onSignOut}
      onClose={onClose}
    />
  );
}
