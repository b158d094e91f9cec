// The answer of the server about sign-ins in all its forms, and errors in words.
import { expect, it } from "vitest";
import { readMethods, signInError } from "./model";

it("reads demo people", () => {
  const expected = [{ username: "alice", name: "Alice", password: "demo" }];
  expect(readMethods({ demo: [{ username: "alice", name: "Alice" }] }).demo).toEqual(expected);
  expect(
    readMethods({ demo: { users: [{ username: "alice", name: "Alice" }], password: "demo" } }).demo,
  ).toEqual(expected);
  expect(readMethods({ demo: [{ name: "?" }, 5, null] }).demo).toEqual([]);
});

it("offers the form unless the server says no", () => {
  expect(readMethods(null)).toEqual({ accounts: true, demo: [] });
  expect(readMethods({ password: false }).accounts).toBe(false);
});

it("tells errors apart", () => {
  expect([null, 401, 429, 503, 500].map(signInError)).toEqual([
    "signin.error.network",
    "signin.error.credentials",
    "signin.error.rate",
    "signin.error.network",
    "signin.error.other",
  ]);
});
