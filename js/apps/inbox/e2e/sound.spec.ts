// A tone for a message that nobody looks at; none when it is switched off or the conversation is open.
import { expect, test } from "./support/test";

test("sounds, and can be silent", async ({ someone, bob }) => {
  const alice = await someone("alice");
  const { page } = alice;
  await page.addInitScript(() => {
    const counted = window as unknown as { tones: number };
    counted.tones = 0;
    const { start } = OscillatorNode.prototype;
    OscillatorNode.prototype.start = function (...when) {
      counted.tones += 1;
      start.apply(this, when);
    };
  });
  const tones = (): Promise<number> => page.evaluate(() => (window as unknown as { tones: number }).tones);
  await alice.signIn();
  await bob.open(1);
  await bob.say("tone one");
  await expect.poll(tones).toBe(2);

  await alice.open(1);
  await bob.say("tone two");
  await alice.sees("tone", ["tone one", "tone two"]);
  expect(await tones()).toBe(2);

  await page.goBack();
  await page.getByRole("button", { name: "Settings and account" }).click();
  await page.getByRole("switch", { name: "Sound for new messages" }).click();
  await page.keyboard.press("Escape");
  await bob.say("tone three");
  await expect(alice.row(1)).toContainText("tone three");
  expect(await tones()).toBe(2);
});
