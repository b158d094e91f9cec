// Two people in two browsers: everything is there at once, and nothing is lost when the network or the server dies.
import { expect, test } from "./support/test";

test("each sees the other's messages, typing, presence and read ticks at once", async ({ alice, bob }) => {
  await alice.open(1);
  await bob.open(1);
  await expect(alice.status).toHaveText("Online");
  await expect(bob.status).toHaveText("Online");

  await alice.composer.pressSequentially("live one");
  await expect(bob.status).toContainText("is typing");
  await expect(bob.row(1)).toContainText("typing…");
  await alice.composer.press("Enter");
  await bob.sees("live", ["live one"]);
  await expect(bob.status).toHaveText("Online");
  await bob.page.bringToFront();
  await expect(alice.tick("live one")).toHaveAttribute("data-state", "read");

  await bob.say("live two");
  await alice.sees("live", ["live one", "live two"], "same");
  await alice.page.bringToFront();
  await expect(bob.tick("live two")).toHaveAttribute("data-state", "read");

  await bob.context.close();
  await expect(alice.status).toContainText(/Last seen|Offline/, { timeout: 30_000 });
});

test("a message is sent, then delivered, then read", async ({ alice, bob }) => {
  await alice.open(1);
  await alice.say("ticks");
  await expect(alice.tick("ticks")).toHaveAttribute("data-state", "delivered");
  await expect(bob.row(1)).toContainText("1 unread message");
  await bob.open(1);
  await bob.page.bringToFront();
  await expect(alice.tick("ticks")).toHaveAttribute("data-state", "read");
  await expect(bob.row(1)).not.toContainText("unread");
});

test("one goes offline, both write, it comes back: nothing lost, nothing doubled, the same order", async ({
  alice,
  bob,
}) => {
  await alice.open(1);
  await bob.open(1);
  await alice.say("off before");
  await bob.sees("off", ["off before"]);

  await bob.goOffline();
  for (const text of ["off b1", "off b2", "off b3"]) await bob.say(text);
  for (const text of ["off a1", "off a2", "off a3"]) await alice.say(text);
  await expect(bob.tick("off b1")).toHaveAttribute("data-state", "queued");
  await expect(alice.tick("off a3")).not.toHaveAttribute("data-state", "pending");
  expect((await alice.texts("off b")).filter((text) => text !== "off before")).toEqual([]);
  await bob.comeBack();

  const all = ["off before", "off a1", "off a2", "off a3", "off b1", "off b2", "off b3"];
  await alice.sees("off", all, "same");
  await bob.sees("off", all, "same");
  await bob.page.reload();
  await bob.sees("off", all, "same");
});

test("the server is killed and started again in between: nothing lost, nothing doubled, the same order", async ({
  server,
  alice,
  bob,
}) => {
  await alice.open(1);
  await bob.open(1);
  await alice.say("kill before");
  await bob.sees("kill", ["kill before"]);

  await server.kill("SIGKILL");
  await Promise.all([
    (async () => {
      for (const text of ["kill a1", "kill a2"]) await alice.say(text);
    })(),
    (async () => {
      for (const text of ["kill b1", "kill b2"]) await bob.say(text);
    })(),
  ]);
  await expect(alice.banner).toHaveAttribute("data-kind", /waiting|connecting/);
  await expect(alice.tick("kill a2")).toHaveAttribute("data-state", "queued");
  await server.run();

  const all = ["kill before", "kill a1", "kill a2", "kill b1", "kill b2"];
  await alice.sees("kill", all);
  await bob.sees("kill", all);
  expect(await bob.texts("kill")).toEqual(await alice.texts("kill"));
  await expect(alice.banner).toHaveAttribute("data-kind", /back|none/);
  for (const text of ["kill a1", "kill a2"])
    await expect(alice.tick(text)).not.toHaveAttribute("data-state", /queued|pending/);
  await alice.page.reload();
  await alice.sees("kill", await bob.texts("kill"), "same");
});

test("killed while a send is on its way: once, on both sides", async ({ server, alice, bob }) => {
  await alice.open(1);
  await bob.open(1);
  const all: string[] = [];
  for (let round = 0; round < 3; round++) {
    const texts = Array.from({ length: 4 }, (_, i) => `race ${round}.${i}`);
    all.push(...texts);
    for (const text of texts) {
      await alice.say(text);
      if (text.endsWith(".1")) await server.kill("SIGKILL");
    }
    await server.run();
    await alice.sees("race", all, "same");
    await bob.sees("race", all, "same");
  }
});

test("a message that waits survives a reload", async ({ alice, bob }) => {
  await alice.open(1);
  await bob.open(1);
  await alice.goOffline();
  await alice.say("kept one");
  await expect(alice.tick("kept one")).toHaveAttribute("data-state", "queued");
  // The page comes back, but not the API: what was written is still there and still waits.
  await alice.context.setOffline(false);
  await alice.page.route("**/api/**", (route) => route.abort());
  await alice.page.reload();
  await expect(
    alice.page.getByRole("paragraph").filter({ hasText: "The server cannot be reached" }),
  ).toBeVisible();
  await alice.page.unroute("**/api/**");
  await bob.sees("kept", ["kept one"]);
  await alice.sees("kept", ["kept one"]);
});
