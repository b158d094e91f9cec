// Message text to spans: links, bold, italic, code; in one pass, so that no text makes it slow, and never HTML.

export type Span =
  | { kind: "text"; text: string }
  | { kind: "link"; text: string; href: string }
  | { kind: "bold" | "italic"; spans: readonly Span[] }
  | { kind: "code"; text: string }
  | { kind: "block"; text: string };

/** A link ends at space, at signs of markup, and at signs that are not seen or turn the direction. */
const LINK = /(?:https?:\/\/|mailto:)[^\s<>"'`\p{Cc}\p{Cf}]+/giu;
const MARKERS = ["```", "**", "`", "*", "_"] as const;
type Marker = (typeof MARKERS)[number];

/** The text as spans; nested marks are not looked into, so the work grows with the length and no faster. */
export function parseText(text: string): readonly Span[] {
  const spans: Span[] = [];
  const exhausted = new Set<Marker>();
  let plainFrom = 0;
  let at = 0;
  const flush = (to: number): void => {
    if (to > plainFrom) spans.push(...linkSpans(text.slice(plainFrom, to)));
  };
  while (at < text.length) {
    if (isLinkStart(text, at)) {
      LINK.lastIndex = at;
      const match = LINK.exec(text);
      if (match?.index === at) {
        at += match[0].length;
        continue;
      }
    }
    const marker = markerAt(text, at);
    if (marker === null || exhausted.has(marker)) {
      at += marker?.length ?? 1;
      continue;
    }
    const end = closing(text, at, marker);
    if (end === "none") exhausted.add(marker);
    if (typeof end !== "number") {
      at += marker.length;
      continue;
    }
    flush(at);
    spans.push(markedSpan(marker, text.slice(at + marker.length, end)));
    at = end + marker.length;
    plainFrom = at;
  }
  flush(text.length);
  return spans;
}

function markedSpan(marker: Marker, inner: string): Span {
  switch (marker) {
    case "```":
      return { kind: "block", text: inner.replace(/^\n|\n$/gu, "") };
    case "`":
      return { kind: "code", text: inner };
    case "**":
      return { kind: "bold", spans: linkSpans(inner) };
    case "*":
    case "_":
      return { kind: "italic", spans: linkSpans(inner) };
  }
}

function markerAt(text: string, at: number): Marker | null {
  const first = text[at];
  if (first !== "`" && first !== "*" && first !== "_") return null;
  return MARKERS.find((marker) => text.startsWith(marker, at)) ?? null;
}

/** Where the mark ends; "none": there is no such mark any more; "here": this one does not open anything. */
function closing(text: string, at: number, marker: Marker): number | "none" | "here" {
  const from = at + marker.length;
  const end = text.indexOf(marker, from);
  if (end === -1) return "none";
  if (end === from) return "here";
  if (marker === "```") return end;
  if (text.slice(from, Math.min(end, from + 2_000)).includes("\n") || end - from > 2_000) return "here";
  if (marker === "`") return end;
  const tight = !/\s/u.test(text[from] ?? " ") && !/\s/u.test(text[end - 1] ?? " ");
  const outside =
    !/[\p{L}\p{N}]/u.test(text[at - 1] ?? " ") && !/[\p{L}\p{N}]/u.test(text[end + marker.length] ?? " ");
  return tight && outside ? end : "here";
}

function isLinkStart(text: string, at: number): boolean {
  const letter = text[at];
  if (letter !== "h" && letter !== "H" && letter !== "m" && letter !== "M") return false;
  return !/[\p{L}\p{N}]/u.test(text[at - 1] ?? " ");
}

function linkSpans(text: string): readonly Span[] {
  const spans: Span[] = [];
  let from = 0;
  LINK.lastIndex = 0;
  for (const match of text.matchAll(LINK)) {
    const start = match.index;
    if (start > 0 && /[\p{L}\p{N}]/u.test(text[start - 1] ?? "")) continue;
    const raw = trimEnd(match[0]);
    const link = safeLink(raw);
    if (link === null) continue;
    if (start > from) spans.push({ kind: "text", text: text.slice(from, start) });
    spans.push(link);
    from = start + raw.length;
  }
  if (from < text.length) spans.push({ kind: "text", text: text.slice(from) });
  return spans;
}

/** Only http, https and mailto; what is shown is where it goes, in punycode where scripts are mixed. */
function safeLink(raw: string): Span | null {
  let url: URL;
  try {
    url = new URL(raw);
  } catch {
    return null;
  }
  if (url.protocol === "mailto:") {
    return url.pathname.includes("@") ? { kind: "link", text: raw, href: url.href } : null;
  }
  if ((url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") return null;
  const misleading = url.username !== "" || url.password !== "";
  const text = misleading || mixesScripts(raw) ? url.href : raw;
  return { kind: "link", text, href: url.href };
}

function mixesScripts(raw: string): boolean {
  const host = raw.replace(/^https?:\/\//iu, "").split(/[/?#]/u)[0] ?? "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII is meant
  if (/^[\x00-\x7f]*$/u.test(host)) return false;
  return (
    /\p{Script=Latin}/u.test(host.replace(/\.[a-z]+(:\d+)?$/iu, "")) ||
    /\p{Script=Cyrillic}|\p{Script=Greek}/u.test(host)
  );
}

/** Full stops and brackets after a link belong to the sentence. */
function trimEnd(raw: string): string {
  let end = raw.length;
  while (end > 0) {
    const last = raw[end - 1] ?? "";
    if (".,;:!?*_~'\"".includes(last)) end -= 1;
    else if (last === ")" && count(raw, "(", end) < count(raw, ")", end)) end -= 1;
    else if (last === "]" && count(raw, "[", end) < count(raw, "]", end)) end -= 1;
    else break;
  }
  return raw.slice(0, end);
}

function count(text: string, sign: string, end: number): number {
  let found = 0;
  for (let i = 0; i < end; i++) if (text[i] === sign) found += 1;
  return found;
}

/** Up to three emoji and nothing else are drawn large. */
export function isJumbo(text: string): boolean {
  const trimmed = text.trim();
  if (trimmed === "" || trimmed.length > 40) return false;
  if (
    !/^(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}|\ufe0f|\u200d|\s)+$/u.test(
      trimmed,
    )
  )
    return false;
  const segments = [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(trimmed)];
  return segments.filter(({ segment }) => segment.trim() !== "").length <= 3;
}
