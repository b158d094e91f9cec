// New conversations and groups: finding people, adding, removing, leaving.
import { expect, test } from "./support/test";

test("a direct conversation is found again, not made twice", async ({ alice }) => {
  const { page } = alice;
  await page.getByRole("button", { name: "New conversation" }).first().click();
  await page.getByRole("searchbox", { name: "Find a person" }).fill("bob");
  await page.getByRole("dialog").getByRole("button", { name: /bob/i }).first().click();
  await page.getByRole("button", { name: "Start conversation" }).click();
  await expect(page).toHaveURL(/\/c\/\d+$/);
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Bob");
});

test("a group is made, grows, shrinks, and is left", async ({ alice, bob }) => {
  const { page } = alice;
  await page.getByRole("button", { name: "New conversation" }).first().click();
  const search = page.getByRole("searchbox", { name: "Find a person" });
  for (const name of ["bob", "carla"]) {
    await search.fill(name);
    await page
      .getByRole("dialog")
      .getByRole("button", { name: new RegExp(name, "i") })
      .first()
      .click();
  }
  await page.getByLabel("Group name").fill("Weekend plans");
  await page.getByRole("button", { name: "Create group" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Weekend plans");
  await expect(alice.status).toContainText("3 people");

  const row = bob.page.getByRole("link", { name: /Weekend plans/ });
  await expect(row).toBeVisible();
  await alice.say("group hello");
  await row.click();
  await bob.sees("group", ["group hello"]);
  await expect(bob.bubble("group hello")).toContainText(/Alice/);

  await page.getByRole("button", { name: "Conversation details" }).click();
  const panel = page.getByRole("complementary", { name: "Details" });
  await panel.getByRole("button", { name: /^Remove Carla/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(alice.status).toContainText("2 people");

  await bob.page.getByRole("button", { name: "Conversation details" }).click();
  await bob.page.getByRole("button", { name: "Leave the group" }).click();
  await bob.page.getByRole("dialog").getByRole("button", { name: "Leave" }).click();
  await expect(row).toBeHidden();
  await expect(alice.status).toContainText("1 person");
});
