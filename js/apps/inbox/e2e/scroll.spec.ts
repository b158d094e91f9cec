// Reading upwards keeps the place; new messages wait under a pill; the divider shows where reading stopped.

import type { Person } from "./support/person";
import { expect, test } from "./support/test";

async function fill(person: Person, count: number): Promise<void> {
  await person.page.evaluate(async (total) => {
    for (let i = 0; i < total; i++) {
      const answer = await fetch("/api/v1/conversations/1/messages", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ content: `line ${i}` }),
      });
      if (!answer.ok) throw new Error(`send: ${answer.status}`);
    }
  }, count);
}

test("older messages come above without a jump", async ({ alice }) => {
  await fill(alice, 180);
  await alice.open(1);
  await expect(alice.bubble("line 179")).toBeInViewport();
  // In every frame: how far has the row in the middle moved without the reader scrolling?
  const worst = await alice.thread.evaluate(async (scroller) => {
    const frame = () => new Promise((next) => requestAnimationFrame(next));
    const texts = () => [...scroller.querySelectorAll("[data-testid='text']")];
    let jump = 0;
    let grown = 0;
    for (let step = 0; step < 400 && !texts().some((el) => el.textContent === "line 0"); step++) {
      scroller.scrollTop = Math.max(0, scroller.scrollTop - 120);
      const middle = texts().find((el) => el.getBoundingClientRect().top > 250);
      if (!middle) continue;
      const before = middle.getBoundingClientRect().top;
      const rows = texts().length;
      await frame();
      await frame();
      jump = Math.max(jump, Math.abs(middle.getBoundingClientRect().top - before));
      if (texts().length > rows) grown += 1;
    }
    return { jump, grown };
  });
  expect(worst.grown).toBeGreaterThanOrEqual(2);
  expect(worst.jump).toBeLessThanOrEqual(1);
  await expect(alice.thread.getByText("line 0", { exact: true })).toHaveCount(1);
  const lines = await alice.texts("line ");
  expect(lines).toEqual(Array.from({ length: 180 }, (_, i) => `line ${i}`));
});

test("new messages wait under a pill while one reads above, and the bottom sticks", async ({
  alice,
  bob,
}) => {
  await fill(alice, 60);
  await alice.open(1);
  await bob.open(1);
  await bob.say("stuck one");
  await expect(alice.bubble("stuck one")).toBeInViewport();

  await alice.thread.evaluate((scroller) => {
    scroller.scrollTop = scroller.scrollHeight / 2;
  });
  const middle = await alice.thread.evaluate((scroller) => scroller.scrollTop);
  await bob.say("pill one");
  await bob.say("pill two");
  const pill = alice.page.getByRole("button", { name: "2 new messages" });
  await expect(pill).toBeVisible();
  expect(
    Math.abs((await alice.thread.evaluate((scroller) => scroller.scrollTop)) - middle),
  ).toBeLessThanOrEqual(1);
  await pill.click();
  await expect(alice.bubble("pill two")).toBeInViewport();
  await expect(pill).toBeHidden();
});

test("one's own message leads to the bottom", async ({ alice }) => {
  await fill(alice, 60);
  await alice.open(1);
  await expect(alice.bubble("line 59")).toBeInViewport();
  await alice.thread.evaluate((scroller) => {
    scroller.scrollTop = 200;
  });
  await expect(alice.page.getByRole("button", { name: "Jump to the newest message" })).toBeVisible();
  await alice.say("down again");
  await expect(alice.bubble("down again")).toBeInViewport();
});

test("the divider stands before what is unread", async ({ alice, bob }) => {
  await bob.open(1);
  await alice.open(1);
  // Who leaves before anything was shown has read nothing.
  await expect(alice.row(1)).not.toContainText("unread");
  await alice.page.goBack();
  await bob.say("divided one");
  await bob.say("divided two");
  await expect(alice.row(1)).toContainText("2 unread messages");
  await alice.open(1);
  const rows = alice.thread.getByRole("listitem");
  await expect(rows.filter({ hasText: "New messages" })).toBeVisible();
  const order = await rows.allTextContents();
  const divider = order.indexOf("New messages");
  expect(order.slice(divider + 1).every((text) => text.includes("divided"))).toBe(true);
});

test("a quote leads to a message that is far above, and the pill leads back", async ({ alice, bob }) => {
  await alice.open(1);
  await alice.say("far away original");
  // Only what is stored has an id.
  await expect(alice.bubble("far away original")).toHaveAttribute("data-message", /^[1-9]/);
  const original = Number(await alice.bubble("far away original").getAttribute("data-message"));
  await fill(bob, 120);
  await bob.page.evaluate(async (id) => {
    const answer = await fetch("/api/v1/conversations/1/messages", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ content: "late answer", reply_to: id }),
    });
    if (!answer.ok) throw new Error(`send: ${answer.status}`);
  }, original);
  await expect(alice.bubble("late answer")).toBeInViewport();
  // All of it is read: the reload begins at the bottom.
  await bob.open(1);
  await expect(bob.tick("late answer")).toHaveAttribute("data-state", "read");
  await alice.page.reload();
  await expect(alice.bubble("late answer")).toBeInViewport();
  await expect(alice.bubble("far away original")).toHaveCount(0);
  const quote = alice.bubble("late answer").getByRole("button", { name: /far away original/ });
  await quote.click();
  await expect(alice.bubble("far away original")).toBeInViewport();
  await expect(alice.bubble("late answer")).toHaveCount(0);
  await alice.page.getByRole("button", { name: "Jump to the newest message" }).click();
  await expect(alice.bubble("late answer")).toBeInViewport();
});

test("a conversation with more unread than a page opens where reading stopped", async ({ alice, bob }) => {
  await alice.open(1);
  // Reading takes a moment: who goes back sooner has not read.
  await expect(alice.row(1)).not.toContainText("unread");
  await alice.page.goBack();
  await fill(bob, 130);
  await expect(alice.row(1)).toContainText("130 unread messages");
  await alice.open(1);
  await expect(alice.bubble("line 0")).toBeInViewport();
  await expect(alice.thread.getByText("New messages")).toBeInViewport();
  await expect(alice.row(1)).toContainText(/1[0-2]\d unread messages/);
  await alice.page.getByRole("button", { name: /Jump to the newest|new messages/ }).click();
  await expect(alice.bubble("line 129")).toBeInViewport();
  await expect(alice.row(1)).not.toContainText("unread");
});
