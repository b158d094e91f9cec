// Signing in and out, what is kept and what is not, and addresses.
import { expect, test } from "./support/test";

test("wrong passwords are told, right ones let in, a reload keeps one in", async ({ someone }) => {
  const alice = await someone("alice");
  await alice.page.goto("/c/1");
  await expect(alice.page).toHaveURL(/\/login$/);
  await alice.page.getByLabel("Username").fill("alice");
  await alice.page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(alice.page.getByRole("alert")).toContainText("Enter your username and your password");
  await alice.page.getByLabel("Password", { exact: true }).fill("wrong");
  await alice.page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(alice.page.getByRole("alert")).toContainText("do not go together");
  await alice.page.getByLabel("Password", { exact: true }).fill("demo");
  await alice.page.getByRole("button", { name: "Sign in", exact: true }).click();
  // One comes to where one wanted to go.
  await expect(alice.page).toHaveURL(/\/c\/1$/);
  await expect(alice.composer).toBeVisible();
  await alice.page.reload();
  await expect(alice.composer).toBeVisible();

  const kept = await alice.page.evaluate(
    () => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie + location.href,
  );
  expect(kept).not.toMatch(/eyJ|parlour_session|token/i);
});

test("a server that is gone is told at the sign-in", async ({ server, someone }) => {
  const alice = await someone("alice");
  await alice.page.goto("/");
  await alice.page.getByLabel("Username").fill("alice");
  await alice.page.getByLabel("Password", { exact: true }).fill("demo");
  await server.kill("SIGKILL");
  await alice.page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(alice.page.getByRole("alert")).toContainText("cannot be reached");
});

test("signing out ends the session here and in the other tab", async ({ alice, bob }) => {
  const tab = await alice.context.newPage();
  await tab.goto("/c/1");
  await expect(tab.getByRole("textbox", { name: /^Message to/ })).toBeVisible();
  await bob.open(1);
  await alice.page.getByRole("button", { name: "Settings and account" }).click();
  await alice.page.getByRole("button", { name: "Sign out" }).click();
  await expect(alice.page).toHaveURL(/\/login$/);
  await expect(tab).toHaveURL(/\/login$/);
  await alice.page.goto("/");
  await expect(alice.page).toHaveURL(/\/login$/);
  await expect(bob.status).toContainText(/Last seen|Offline/, { timeout: 30_000 });
});

test("title, badge and history follow", async ({ alice, bob }) => {
  await expect(alice.page).toHaveTitle(/Parlour$/);
  await bob.open(1);
  await bob.say("count me");
  await expect(alice.page).toHaveTitle(/^\(\d+\) Parlour$/);
  await expect(alice.page.locator("link[rel='icon']")).toHaveAttribute("href", "/favicon-unread.svg");
  await alice.open(1);
  await expect(alice.page).toHaveURL(/\/c\/1$/);
  await expect(alice.page).toHaveTitle(/Bob.* · Parlour$/);
  await alice.page.goBack();
  await expect(alice.page).toHaveURL(/\/$/);
  await expect(alice.page.getByRole("heading", { name: "Your conversations" })).toBeVisible();
});

test("a conversation that is not there says so", async ({ alice }) => {
  for (const path of ["/c/999999", "/c/abc", "/elsewhere"]) {
    await alice.page.goto(path);
    await expect(alice.page.getByRole("heading", { name: "This conversation is not here" })).toBeVisible();
  }
  await alice.page.getByRole("button", { name: "Back to your conversations" }).click();
  await expect(alice.page).toHaveURL(/\/$/);
});

test("settings stay: theme, sound, name", async ({ alice }) => {
  const { page } = alice;
  await page.getByRole("button", { name: "Settings and account" }).click();
  await page.getByText("Dark", { exact: true }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  const sound = page.getByRole("switch", { name: "Sound for new messages" });
  await sound.click();
  await expect(sound).toHaveAttribute("aria-checked", "false");
  await page.getByLabel("Your name").fill("Alice the Second");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("button", { name: "Saved" })).toBeVisible();
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.getByRole("button", { name: "Settings and account" }).click();
  await expect(page.getByLabel("Your name")).toHaveValue("Alice the Second");
  await expect(page.getByRole("switch", { name: "Sound for new messages" })).toHaveAttribute(
    "aria-checked",
    "false",
  );
});
