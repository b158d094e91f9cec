// Preferences survive broken and foreign contents of the browser's memory.
import { expect, it } from "vitest";
import { DEFAULTS, loadPreferences, parsePreferences, savePreferences, themeAttribute } from "./model";

it("reads what was kept and falls back", () => {
  expect(parsePreferences('{"theme":"dark","sound":false}')).toEqual({ theme: "dark", sound: false });
  for (const broken of [null, "", "{", "[]", "null", '{"theme":"pink","sound":"yes"}']) {
    expect(parsePreferences(broken)).toEqual(DEFAULTS);
  }
});

it("lives with a browser that keeps nothing", () => {
  const refusing = {
    getItem: () => {
      throw new Error("no");
    },
    setItem: () => {
      throw new Error("no");
    },
  } as unknown as Storage;
  expect(loadPreferences(refusing)).toEqual(DEFAULTS);
  savePreferences(refusing, DEFAULTS);
});

it("sets the attribute only against the system", () => {
  expect([themeAttribute("system"), themeAttribute("dark")]).toEqual([null, "dark"]);
});
