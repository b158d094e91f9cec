// When the banner speaks: not for a short break, at once when offline, and once more when it is over.
import { expect, it } from "vitest";
import { BACK_MS, bannerOf, type Link, START, type Watch, watch } from "./model";

function play(steps: readonly [Link, number][]): { watched: Watch; kinds: string[] } {
  let watched = START;
  const kinds = steps.map(([link, now]) => {
    watched = watch(watched, link, now);
    return bannerOf(watched, link, now).kind;
  });
  return { watched, kinds };
}
const up: Link = { status: "up" };
const connecting: Link = { status: "connecting" };

it("is silent about a short break", () => {
  expect(
    play([
      [up, 0],
      [connecting, 10],
      [{ status: "waiting", retryAt: 700 }, 100],
      [connecting, 700],
      [up, 900],
    ]).kinds,
  ).toEqual(["none", "none", "none", "none", "none"]);
});

it("tells a longer one, counts down, and says when it is over", () => {
  const waiting: Link = { status: "waiting", retryAt: 9_000 };
  const { kinds } = play([
    [connecting, 0],
    [connecting, 2_000],
    [waiting, 3_000],
    [connecting, 9_000],
    [up, 9_500],
    [up, 9_500 + BACK_MS],
  ]);
  expect(kinds).toEqual(["none", "connecting", "waiting", "connecting", "back", "none"]);
  expect(bannerOf({ downSince: 0, told: true, backUntil: 0 }, waiting, 3_100)).toEqual({
    kind: "waiting",
    seconds: 6,
  });
});

it("tells at once that one is offline or shut out", () => {
  expect(
    play([
      [up, 0],
      [{ status: "offline" }, 1],
    ]).kinds,
  ).toEqual(["none", "offline"]);
  expect(play([[{ status: "stopped", reason: "replaced" }, 1]]).kinds).toEqual(["stopped"]);
});
