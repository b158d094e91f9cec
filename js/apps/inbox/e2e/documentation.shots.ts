// The pictures of the documentation, taken from the running program: `npm run screenshots -w inbox`.
import { resolve } from "node:path";
import type { Person } from "./support/person";
import { expect, test } from "./support/test";

const FOLDER = resolve(import.meta.dirname, "../../../../docs/images");
const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 740 };

async function shoot(person: Person, name: string): Promise<void> {
  // Nothing blinks, nothing hovers, nothing is half way.
  await person.page.mouse.move(0, 0);
  await person.page.evaluate(() =>
    document.activeElement instanceof HTMLElement ? document.activeElement.blur() : undefined,
  );
  await person.page.screenshot({ path: `${FOLDER}/${name}.png`, animations: "disabled", caret: "hide" });
}

/** Something said just now on both sides, so that there are ticks of every kind to see. */
async function talk(alice: Person, bob: Person): Promise<void> {
  await alice.open(1);
  await bob.open(1);
  await bob.say("Is the lake house still free on the first weekend of December?");
  await alice.sees("Is the lake house", ["Is the lake house still free on the first weekend of December?"]);
  await alice.say("It is, from Thursday even 🙂");
  await alice.say("Everything about it: https://example.com/houses/lake");
  await bob.sees("Everything", ["Everything about it: https://example.com/houses/lake"]);
  await bob.menu("Everything about it: https://example.com/houses/lake", "Reply");
  await bob.say("That looks **lovely**. Is there a stove?");
  await alice.say("There is, and the wood is under the stairs.");
}

test("the documentation's pictures", async ({ someone }) => {
  const alice = await someone("alice", WIDE);
  const bob = await someone("bob", WIDE);
  await alice.page.goto("/login");
  await alice.page
    .getByRole("button", { name: /^Sign in as/ })
    .first()
    .waitFor();
  await shoot(alice, "login");

  await alice.signIn();
  await bob.signIn();
  await talk(alice, bob);
  await bob.page.bringToFront();
  await alice.page.bringToFront();
  for (const [scheme, name] of [
    ["light", "inbox-light"],
    ["dark", "inbox-dark"],
  ] as const) {
    await alice.page.emulateMedia({ colorScheme: scheme });
    await bob.composer.pressSequentially("Then we ");
    await alice.page.getByText("is typing").first().waitFor();
    await shoot(alice, name);
    await bob.composer.fill("");
    await expect(alice.status).toHaveText("Online");
  }

  const phone = await someone("alice", PHONE);
  await phone.signIn();
  await phone.row(1).waitFor();
  await shoot(phone, "phone-list");
  await phone.open(1);
  await phone.bubble("There is, and the wood is under the stairs.").waitFor();
  await shoot(phone, "phone-conversation");

  await alice.page.emulateMedia({ colorScheme: "light" });
  await alice.goOffline();
  await alice.say("I send you the door code in the morning.");
  await shoot(alice, "offline");
});
