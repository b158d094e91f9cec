// What one does with messages: edit, delete, reply, links, drafts, and what one may not send.
import { expect, test } from "./support/test";

test("an edit arrives and is marked", async ({ alice, bob }) => {
  await alice.open(1);
  await bob.open(1);
  await alice.say("edit me");
  await bob.sees("edit", ["edit me"]);
  await alice.composer.press("ArrowUp");
  await expect(alice.composer).toHaveValue("edit me");
  await alice.composer.fill("edit done");
  await alice.composer.press("Enter");
  await bob.sees("edit", ["edit done"]);
  await expect(bob.bubble("edit done")).toContainText("edited");

  await alice.menu("edit done", "Edit");
  await expect(alice.composer).toHaveValue("edit done");
  await alice.composer.press("Escape");
  await expect(alice.composer).toHaveValue("");
});

test("a deleted message leaves a trace without its text", async ({ alice, bob }) => {
  await alice.open(1);
  await bob.open(1);
  await alice.say("delete me");
  await bob.sees("delete", ["delete me"]);
  await alice.menu("delete me", "Delete");
  await alice.page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await bob.sees("delete", ["delete me"]);
  await alice.menu("delete me", "Delete");
  await alice.page.getByRole("dialog").getByRole("button", { name: "Delete for everybody" }).click();
  await bob.sees("delete", []);
  await expect(bob.thread.getByText("This message was deleted").last()).toBeVisible();
  await expect(alice.thread.getByText("You deleted this message").last()).toBeVisible();
});

test("a reply quotes, and the quote leads to the original", async ({ alice, bob }) => {
  await alice.open(1);
  await bob.open(1);
  await alice.say("question");
  for (let i = 0; i < 25; i++) await alice.say(`between ${i}`);
  await expect(bob.bubble("between 24")).toBeVisible();
  await bob.bubble("question").scrollIntoViewIfNeeded();
  await bob.menu("question", "Reply");
  await expect(bob.page.getByText("Reply to")).toBeVisible();
  await bob.say("answer");
  const quote = alice.bubble("answer").getByRole("button", { name: /^In reply to You question/ });
  await expect(quote).toBeVisible();
  await expect(alice.bubble("question")).not.toBeInViewport();
  await quote.click();
  await expect(alice.bubble("question")).toBeInViewport();
});

test("only safe links are links", async ({ alice }) => {
  await alice.open(1);
  await alice.say("see https://example.com/a?b=1. or javascript:alert(1) <b>x</b>");
  const bubble = alice.thread.getByRole("listitem").filter({ hasText: "<b>x</b>" });
  const link = bubble.getByRole("link");
  await expect(link).toHaveCount(1);
  await expect(link).toHaveAttribute("href", "https://example.com/a?b=1");
  await expect(link).toHaveAttribute("rel", /noopener/);
});

test("drafts stay with their conversation", async ({ alice }) => {
  await alice.open(1);
  await alice.composer.fill("not yet");
  const other = alice.page.locator("a[data-conversation]:not([data-conversation='1'])").first();
  const id = Number(await other.getAttribute("data-conversation"));
  await alice.open(id);
  await expect(alice.composer).toHaveValue("");
  await expect(alice.row(1)).toContainText("Draft: not yet");
  await alice.open(1);
  await expect(alice.composer).toHaveValue("not yet");
});

test("too much and nothing are not sent", async ({ alice }) => {
  await alice.open(1);
  const send = alice.page.getByRole("button", { name: "Send" });
  await expect(send).toBeDisabled();
  await alice.composer.fill("  \n\u200b ");
  await expect(send).toBeDisabled();
  await alice.composer.fill("x".repeat(16_385));
  await expect(alice.page.getByText("1 character too long")).toBeVisible();
  await expect(send).toBeDisabled();
  await alice.composer.fill("x".repeat(16_384));
  await expect(send).toBeEnabled();
});

test("a message to somebody who has blocked one is shown as not sent, and can be discarded", async ({
  alice,
  bob,
}) => {
  await alice.open(1);
  await bob.open(1);
  await bob.page.getByRole("button", { name: "Conversation details" }).click();
  await bob.page.getByRole("button", { name: /^Block / }).click();
  await bob.page.getByRole("dialog").getByRole("button", { name: "Block" }).click();
  await expect(bob.page.getByRole("button", { name: /^Unblock / })).toBeVisible();
  await alice.say("refused");
  await expect(alice.tick("refused")).toHaveAttribute("data-state", "failed");
  await alice.thread.getByRole("button", { name: "Discard" }).click();
  await alice.sees("refused", []);
  await bob.page.getByRole("button", { name: /^Unblock / }).click();
  await expect(bob.page.getByRole("button", { name: /^Block / })).toBeVisible();
  await alice.say("welcome again");
  await bob.sees("welcome", ["welcome again"]);
});
