// The frames that the server's own tests keep: this client understands each of them.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decode, isChange } from "./codec.js";

const lines = readFileSync(
  new URL("../../../../../contract/transcripts/native/told.jsonl", import.meta.url),
  "utf8",
)
  .trim()
  .split("\n");

describe("what native clients are told", () => {
  test.each(lines)("%#", (line) => {
    const frame = decode(line);
    const sent = JSON.parse(line) as { type: string; seq?: number; conversation_id?: number };
    if (sent.type === "skipped") {
      // Known by its seq alone: the position moves on.
      expect(frame).toEqual({
        type: "unknown",
        name: "skipped",
        conversation_id: sent.conversation_id,
        seq: sent.seq,
      });
      return;
    }
    expect(frame).toEqual(sent);
    expect(frame !== null && isChange(frame)).toBe(sent.seq !== undefined);
  });

  test("there is one of each kind", () => {
    const kinds = new Set(lines.map((line) => decode(line)?.type));
    expect(kinds.size).toBeGreaterThanOrEqual(19);
  });
});
