// What a row of the list shows, and which rows a search leaves.

export type Delivery = "pending" | "queued" | "failed" | "sent" | "delivered" | "read";
export type Presence = "online" | "away" | "offline";

export type Preview =
  | { kind: "text"; text: string; by: string | null }
  | { kind: "typing"; text: string }
  | { kind: "draft"; text: string }
  | { kind: "deleted" }
  | { kind: "nothing" };

export interface ListRow {
  id: number;
  title: string;
  seed: string;
  group: boolean;
  presence: Presence | null;
  preview: Preview;
  /** The state of one's own last message; null when somebody else had the last word. */
  delivery: Delivery | null;
  at: Date | null;
  unread: number;
  /** More to find it by: usernames, the subject. */
  keywords: readonly string[];
}

/** Rows that hold every word of the query, whatever the case or accents. */
export function searchRows(rows: readonly ListRow[], query: string): readonly ListRow[] {
  const words = fold(query).split(/\s+/u).filter(Boolean);
  if (words.length === 0) return rows;
  return rows.filter((row) => {
    const text = fold([row.title, ...row.keywords].join(" "));
    return words.every((word) => text.includes(word));
  });
}

/** 1, 2, … 99, 99+ */
export function badgeText(unread: number): string {
  return unread > 99 ? "99+" : String(unread);
}

/** The first words of a message on one line, without the marks of bold and code. */
export function previewText(content: string): string {
  return content
    .slice(0, 240)
    .replace(/```|\*\*|`/gu, "")
    .replace(/\s+/gu, " ")
    .trim();
}

function fold(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}
