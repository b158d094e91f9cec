// What a person may set here: appearance and sound; kept in this browser, never anything secret.

export type Theme = "system" | "light" | "dark";

export interface Preferences {
  theme: Theme;
  sound: boolean;
}

export const DEFAULTS: Preferences = { theme: "system", sound: true };
const KEY = "parlour.preferences";

/** Reads what was kept; what is broken or unknown falls back to the defaults. */
export function parsePreferences(stored: string | null): Preferences {
  if (stored === null) return DEFAULTS;
  try {
    const value: unknown = JSON.parse(stored);
    if (typeof value !== "object" || value === null) return DEFAULTS;
    const { theme, sound } = value as Record<string, unknown>;
    return {
      theme: theme === "light" || theme === "dark" ? theme : "system",
      sound: typeof sound === "boolean" ? sound : DEFAULTS.sound,
    };
  } catch {
    return DEFAULTS;
  }
}

export function loadPreferences(storage: Storage): Preferences {
  try {
    return parsePreferences(storage.getItem(KEY));
  } catch {
    return DEFAULTS;
  }
}

export function savePreferences(storage: Storage, preferences: Preferences): void {
  try {
    storage.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // A browser that keeps nothing still shows the choice until the page is left.
  }
}

/** The attribute that the tokens look at; null: the system decides. */
export function themeAttribute(theme: Theme): "light" | "dark" | null {
  return theme === "system" ? null : theme;
}
