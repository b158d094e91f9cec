// Addresses and what they mean.
import { expect, it } from "vitest";
import { pageTitle } from "../platform/page";
import { parseRoute, pathOf } from "./router";

it.each([
  ["/", { page: "home" }],
  ["/login/", { page: "login" }],
  ["/c/12", { page: "conversation", id: 12 }],
  ["/c/12/", { page: "conversation", id: 12 }],
  ["/c/0", { page: "missing" }],
  ["/c/x", { page: "missing" }],
  ["/c/99999999999999999", { page: "missing" }],
  ["/c/1/2", { page: "missing" }],
  ["/elsewhere", { page: "missing" }],
])("%s", (path, route) => expect(parseRoute(path)).toEqual(route));

it("goes there and back", () =>
  expect(parseRoute(pathOf({ page: "conversation", id: 7 }))).toEqual({ page: "conversation", id: 7 }));

it("writes the page's title", () => {
  expect(pageTitle(0, null)).toBe("Parlour");
  expect(pageTitle(3, "Bob")).toBe("(3) Bob · Parlour");
  expect(pageTitle(120, null)).toBe("(99+) Parlour");
});
