// The Flutter client exactly as documented: the bare path, with a server that is set to speak its dialect, or finds out.
import { afterEach, expect, test } from "vitest";
import { DirectScreen } from "../robots/direct.js";
import { eventually, Stage } from "../support/stage.js";

let stage: Stage;
afterEach(() => stage.close());

test("PARLOUR_USER_DIALECT=direct: cookie and bare path are enough", async () => {
  stage = await Stage.open({ env: { PARLOUR_USER_DIALECT: "direct" } });
  const { alice, bob } = await stage.pair();
  const screens = await Promise.all(
    [[alice, bob] as const, [bob, alice] as const].map(async ([me, other]) => {
      const host = stage.host({ cookie: await me.cookie() });
      const screen = new DirectScreen(host, me.number, other.number, "");
      await eventually(() => expect(host.open).toBe(1));
      return screen;
    }),
  );
  screens[0]?.send("one");
  await eventually(() => expect(screens[1]?.shown).toEqual(["one"]));
  screens[1]?.send("two");
  await eventually(() => expect(screens[0]?.shown).toEqual(["one", "two"]));
});

test("PARLOUR_USER_DIALECT=auto: the first frame tells", async () => {
  stage = await Stage.open({ env: { PARLOUR_USER_DIALECT: "auto" } });
  const { alice, bob } = await stage.pair();
  const host = stage.host();
  const screen = new DirectScreen(host, bob.number, alice.number, `?token=${bob.token}`);
  await eventually(() => expect(host.open).toBe(1));
  screen.send("I speak direct");
  await eventually(() => expect(screen.shown).toEqual(["I speak direct"]));
  await alice.say(await alice.converse(bob), "so do I");
  await eventually(() => expect(screen.shown).toEqual(["I speak direct", "so do I"]));
});
