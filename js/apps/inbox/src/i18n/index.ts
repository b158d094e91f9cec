// Looks a text up by its key, fills in names and numbers, and chooses the plural form by Intl.
import { en, type Key, type Plural } from "./en";

export type { Key } from "./en";

type Params = Readonly<Record<string, string | number>>;
type Texts = Readonly<Record<Key, string | Plural>>;

const catalogues: Readonly<Record<string, Texts>> = { en };

export const locale = pickLocale(typeof navigator === "undefined" ? [] : navigator.languages);
const texts: Texts = catalogues[locale] ?? en;
const plurals = new Intl.PluralRules(locale);
const numbers = new Intl.NumberFormat(locale);

/** The text of `key` with `{name}` replaced from `params`; a plural text takes its form from `count`. */
export function t(key: Key, params: Params = {}): string {
  const entry = texts[key];
  const text = typeof entry === "string" ? entry : pluralForm(entry, Number(params.count ?? 0));
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? numbers.format(value) : value;
  });
}

export function pickLocale(wanted: readonly string[]): string {
  for (const tag of wanted) {
    const language = tag.split("-")[0] ?? "";
    if (language in catalogues) return language;
  }
  return "en";
}

function pluralForm(entry: Plural, count: number): string {
  return plurals.select(count) === "one" ? entry.one : entry.other;
}
