// The browser's side of the platform, as far as Node has it: durable records, ids, locks where there are none.
import "fake-indexeddb/auto";
import { expect, test } from "vitest";
import { browserPlatform } from "./platform-browser.js";

test("records are kept in IndexedDB, by key, and survive opening again", async () => {
  const platform = browserPlatform();
  const first = await platform.openRecords("records-test");
  await first?.put("b:2", { text: "two" });
  await first?.put("b:1", { text: "one" });
  await first?.put("c:1", "other");
  await first?.put("b:2", { text: "zwei" });
  const again = await platform.openRecords("records-test");
  expect(await again?.list("b:")).toEqual([
    { key: "b:1", value: { text: "one" } },
    { key: "b:2", value: { text: "zwei" } },
  ]);
  await again?.delete("b:1");
  expect((await first?.list("b:"))?.map((record) => record.key)).toEqual(["b:2"]);
});

test("where there is no IndexedDB there are no records", async () => {
  const kept = globalThis.indexedDB;
  Reflect.deleteProperty(globalThis, "indexedDB");
  expect(await browserPlatform().openRecords("x")).toBeNull();
  globalThis.indexedDB = kept;
});

test("a runtime without a page is online and visible, and needs no locks", async () => {
  const platform = browserPlatform();
  expect([platform.isOnline(), platform.isVisible(), platform.baseUrl()]).toEqual([true, true, null]);
  platform.watch(() => undefined)();
  let ran = false;
  await platform.withLock("lock", new AbortController().signal, async () => {
    ran = true;
  });
  expect(ran).toBe(true);
  const channel = platform.openChannel("channel", () => undefined);
  channel.post({});
  channel.close();
});

test("ids differ", () => {
  const platform = browserPlatform();
  const ids = new Set(Array.from({ length: 100 }, () => platform.uuid()));
  expect(ids.size).toBe(100);
  expect([...ids].every((id) => id.length <= 64)).toBe(true);
});
