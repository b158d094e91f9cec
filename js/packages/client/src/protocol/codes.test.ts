// The tables of codes against contract/errors.toml and contract/close_codes.toml, which the server's tests read too.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ParlourError } from "../errors.js";
import { CLOSE_CODES, closeCode, ERROR_CODES, retryAfterOf } from "./codes.js";

/** Enough TOML for these two files: tables of strings, numbers and booleans. */
function tables(file: string): Record<string, Record<string, unknown>> {
  const text = readFileSync(new URL(`../../../../../contract/${file}`, import.meta.url), "utf8");
  const found: Record<string, Record<string, unknown>> = {};
  let current: Record<string, unknown> = {};
  for (const line of text.split("\n")) {
    const head = /^\[(\w+)\]$/.exec(line);
    const field = /^(\w+) = (.+)$/.exec(line);
    if (head?.[1] !== undefined) {
      current = {};
      found[head[1]] = current;
    } else if (field?.[1] !== undefined && field[2] !== undefined) {
      current[field[1]] = JSON.parse(field[2]);
    }
  }
  return found;
}

function without(table: Record<string, unknown>): Record<string, unknown> {
  const { meaning: _meaning, ...rest } = table;
  return rest;
}

describe("codes", () => {
  test("errors are those of the contract", () => {
    const contract = Object.entries(tables("errors.toml")).map(([code, table]) => [code, without(table)]);
    expect(ERROR_CODES).toEqual(Object.fromEntries(contract));
    expect(contract.length).toBeGreaterThan(10);
  });

  test("close codes are those of the contract", () => {
    const contract = Object.entries(tables("close_codes.toml")).map(([code, table]) => [
      code,
      without(table),
    ]);
    expect(CLOSE_CODES).toEqual(Object.fromEntries(contract));
    expect(contract.length).toBeGreaterThan(10);
  });

  test("a close that is not in the table means: come back", () => {
    expect(closeCode(1006)).toEqual({ name: "lost", reconnect: true });
    expect(closeCode(4409)).toEqual({ name: "replaced", reconnect: false });
  });

  test.each([
    ["retry_after_ms=1200", 1200],
    ["restarting; retry_after_ms=5", 5],
    ["", undefined],
    ["retry_after_ms=", undefined],
    ["no_retry_after_msx=5", undefined],
  ])("the time in the reason %j", (reason, ms) => {
    expect(retryAfterOf(reason)).toBe(ms);
  });

  test("an error has its code's class", () => {
    expect(new ParlourError("blocked", "").class).toBe("rejected");
    expect(new ParlourError("rate_limited", "").class).toBe("retry");
    expect(new ParlourError("network", "").class).toBe("unknown");
  });
});
