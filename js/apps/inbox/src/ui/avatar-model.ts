// Initials and a stable colour for a name, so that somebody looks the same on every screen.

/** How many hues `avatar.module.css` knows. */
export const HUES = 8;

/** "Ada Lovelace" is AL, "alice" is A, "李小龙" is 李; nothing is a question mark. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const letters = words.map(firstLetter).filter(Boolean);
  const first = letters[0];
  if (first === undefined) return "?";
  const last = letters.length > 1 ? letters[letters.length - 1] : "";
  return (
    first +
    (/\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}/u.test(first)
      ? ""
      : (last ?? ""))
  ).toUpperCase();
}

/** The same seed gives the same hue on every machine (FNV-1a). */
export function hueOf(seed: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < seed.length; i++) {
    hash ^= seed.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  // Short names differ in few bits: mix them, and take the hue from the middle.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash >>> 4) % HUES;
}

function firstLetter(word: string): string {
  return word.match(/[\p{L}\p{N}]\p{M}*/u)?.[0] ?? "";
}
