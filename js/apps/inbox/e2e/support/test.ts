// The test function of the browser tests: a server of its own, and people at browsers of their own.
import { test as base, type Page } from "@playwright/test";
import { Person } from "./person";
import { Server } from "./server";

interface Fixtures {
  server: Server;
  /** Opens a browser for somebody; `options` are those of a browser context. */
  someone: (
    name: string,
    options?: Parameters<Page["setViewportSize"]>[0] & { dark?: boolean },
  ) => Promise<Person>;
  alice: Person;
  bob: Person;
}

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the fixtures from the pattern
  server: async ({}, use) => {
    const server = await Server.start();
    await use(server);
    await server.dispose();
  },
  someone: async ({ browser, server }, use) => {
    const people: Person[] = [];
    await use(async (name, options) => {
      const context = await browser.newContext({
        baseURL: server.url,
        ...(options ? { viewport: { width: options.width, height: options.height } } : {}),
        ...(options?.dark ? { colorScheme: "dark" } : {}),
      });
      const page = await context.newPage();
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(error.message));
      const person = new Person(name, context, page);
      people.push(person);
      page.once("close", () => {
        if (errors.length > 0) throw new Error(`${name}'s page failed: ${errors.join("; ")}`);
      });
      return person;
    });
    for (const person of people) await person.context.close();
  },
  alice: async ({ someone }, use) => {
    const alice = await someone("alice");
    await alice.signIn();
    await use(alice);
  },
  bob: async ({ someone }, use) => {
    const bob = await someone("bob");
    await bob.signIn();
    await use(bob);
  },
});

export { expect } from "@playwright/test";
