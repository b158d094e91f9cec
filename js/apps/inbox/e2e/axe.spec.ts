// axe on every page and dialog, in both themes and three widths: nothing serious or critical.
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { expect, test } from "./support/test";

const SIZES = [
  { width: 360, height: 740 },
  { width: 768, height: 900 },
  { width: 1280, height: 800 },
] as const;

async function isClean(page: Page, what: string): Promise<void> {
  await page
    .evaluate(
      () =>
        Promise.all(
          document.getAnimations().map((animation) => animation.finished.catch(() => undefined)),
        ).then(() => undefined),
      undefined,
    )
    .catch(() => undefined);
  const { violations } = await new AxeBuilder({ page }).analyze();
  const grave = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .map((node) => `${node.target.join(" ")} ${node.any[0]?.message ?? ""}`)
          .slice(0, 3)
          .join("; ")}`,
    );
  expect(grave, what).toEqual([]);
}

for (const dark of [false, true]) {
  for (const size of SIZES) {
    test(`${size.width} ${dark ? "dark" : "light"}`, async ({ someone }) => {
      const alice = await someone("alice", { ...size, dark });
      const { page } = alice;
      await page.emulateMedia({ reducedMotion: "reduce" });
      await page.goto("/login");
      await expect(page.getByLabel("Username")).toBeVisible();
      await isClean(page, "sign-in");
      await page.getByRole("button", { name: "Sign in", exact: true }).click();
      await isClean(page, "sign-in with an error");

      await alice.signIn();
      await expect(alice.row(1)).toBeVisible();
      await isClean(page, "list");

      await alice.open(1);
      await alice.say("some **bold** and `code` and https://example.com");
      await alice.composer.press("ArrowUp");
      await isClean(page, "conversation, editing");
      await alice.composer.press("Escape");

      await page.getByRole("button", { name: "Conversation details" }).click();
      await expect(page.getByRole("complementary", { name: "Details" })).toBeVisible();
      await isClean(page, "details");
      await page.keyboard.press("Escape");

      await page.goto("/c/999999");
      await expect(page.getByRole("heading", { name: "This conversation is not here" })).toBeVisible();
      await isClean(page, "missing");

      await page.goto("/");
      await page.getByRole("button", { name: "New conversation" }).first().click();
      await page.getByRole("searchbox", { name: "Find a person" }).fill("bob");
      await expect(page.getByRole("dialog").getByRole("button", { name: /bob/i })).toBeVisible();
      await isClean(page, "new conversation");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Escape");
      await expect(page.getByRole("dialog")).toBeHidden();

      await page.getByRole("button", { name: "Settings and account" }).click();
      await isClean(page, "settings");
      await page.keyboard.press("Escape");

      await alice.open(1);
      await alice.goOffline();
      await alice.say("waiting");
      await isClean(page, "offline");
    });
  }
}
