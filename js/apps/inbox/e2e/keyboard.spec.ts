// Everything by keyboard alone: sign in, find, open, write, answer, delete, look at details, sign out.
import { expect, test } from "./support/test";

test("a whole visit without a mouse", async ({ someone, bob }) => {
  const alice = await someone("alice");
  const { page } = alice;
  const { keyboard } = page;
  await page.goto("/");
  await expect(page.getByLabel("Username")).toBeVisible();
  await page.getByLabel("Username").focus();
  await keyboard.type("alice");
  await keyboard.press("Tab");
  await keyboard.type("demo");
  await keyboard.press("Enter");
  await expect(page.getByRole("navigation", { name: "Conversations" })).toBeVisible();

  await page.getByRole("searchbox", { name: "Search conversations" }).focus();
  await keyboard.type("bob");
  await keyboard.press("ArrowDown");
  await expect(page.locator("a[data-conversation]:focus")).toContainText("Bob");
  await keyboard.press("Home");
  await keyboard.press("Enter");
  await expect(alice.composer).toBeFocused();
  const id = Number(/\/c\/(\d+)/.exec(page.url())?.[1]);
  await bob.open(id);

  await keyboard.type("first line");
  await keyboard.press("Shift+Enter");
  await keyboard.type("second line");
  await keyboard.press("Enter");
  await bob.sees("first", ["first line\nsecond line"]);
  await bob.say("key question");
  await alice.sees("key", ["key question"]);

  // The last message of the thread takes the focus, r answers it.
  await keyboard.press("Shift+Tab");
  await keyboard.press("Shift+Tab");
  await expect(page.locator("li[data-message]:focus")).toContainText("key question");
  await keyboard.press("r");
  await expect(alice.composer).toBeFocused();
  await keyboard.type("key answer");
  await keyboard.press("Enter");
  await expect(bob.bubble("key answer").getByRole("button", { name: /key question/ })).toBeVisible();

  // Up to the own message, its menu, delete, and the dialog.
  await keyboard.press("Shift+Tab");
  await keyboard.press("Shift+Tab");
  await expect(page.locator("button:focus")).toContainText("key question");
  await keyboard.press("Shift+Tab");
  await expect(page.locator("li[data-message]:focus")).toContainText("key answer");
  await keyboard.press("Enter");
  await expect(page.getByRole("menuitem").first()).toBeFocused();
  await keyboard.press("End");
  await expect(page.getByRole("menuitem", { name: "Delete" })).toBeFocused();
  await keyboard.press("Enter");
  await page.getByRole("button", { name: "Delete for everybody" }).press("Enter");
  await bob.sees("key answer", []);

  await page.getByRole("button", { name: "Conversation details" }).press("Enter");
  await expect(page.getByRole("button", { name: "Close the details" })).toBeFocused();
  await keyboard.press("Escape");
  await expect(page.getByRole("complementary", { name: "Details" })).toBeHidden();

  await page.getByRole("button", { name: "New conversation" }).first().press("Enter");
  await expect(page.getByRole("searchbox", { name: "Find a person" })).toBeFocused();
  await keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(page.getByRole("button", { name: "New conversation" }).first()).toBeFocused();

  await page.getByRole("button", { name: "Settings and account" }).press("Enter");
  await page.getByRole("button", { name: "Sign out" }).press("Enter");
  await expect(page).toHaveURL(/\/login$/);
});

test("a screen reader hears what arrives", async ({ alice, bob }) => {
  await alice.open(1);
  await bob.open(1);
  await bob.say("hear this");
  await expect(alice.page.getByTestId("announcement")).toHaveText(/Bob.* says: hear this/);
  await expect(alice.page.getByRole("main")).toHaveCount(1);
  await expect(alice.page.getByRole("heading", { level: 1 })).toHaveCount(1);
});
