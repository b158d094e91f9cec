// Somebody at a browser of his own: what people do in the inbox, in the words of the tests.
import { type BrowserContext, expect, type Locator, type Page } from "@playwright/test";

export class Person {
  constructor(
    readonly name: string,
    readonly context: BrowserContext,
    readonly page: Page,
  ) {}

  get composer(): Locator {
    return this.page.getByRole("textbox", { name: /^Message to/ });
  }

  get thread(): Locator {
    return this.page.getByRole("region", { name: "Messages" });
  }

  get banner(): Locator {
    return this.page.getByTestId("banner");
  }

  get status(): Locator {
    return this.page.getByTestId("status");
  }

  row(conversation: number): Locator {
    return this.page.locator(`a[data-conversation="${conversation}"]`);
  }

  bubble(text: string): Locator {
    const whole = new RegExp(`^${text.replace(/[^\w\s]/g, "\\$&")}$`);
    return this.thread
      .getByRole("listitem")
      .filter({ has: this.page.getByTestId("text").filter({ hasText: whole }) });
  }

  tick(text: string): Locator {
    return this.bubble(text).locator("[data-state]");
  }

  async signIn(): Promise<void> {
    await this.page.goto("/");
    await this.page.getByRole("button", { name: new RegExp(`^Sign in as ${this.name}`, "i") }).click();
    await expect(this.page.getByRole("navigation", { name: "Conversations" })).toBeVisible();
  }

  async open(conversation: number): Promise<void> {
    await this.row(conversation).click();
    await expect(this.composer).toBeVisible();
  }

  async say(text: string): Promise<void> {
    await this.composer.fill(text);
    await this.composer.press("Enter");
    await expect(this.composer).toHaveValue("");
  }

  /** The messages on the screen, in their order, that begin with `prefix`. */
  async texts(prefix: string): Promise<string[]> {
    const all = await this.thread.getByTestId("text").allTextContents();
    return all.filter((text) => text.startsWith(prefix));
  }

  /** Waits until exactly these messages are on the screen, in this order if it is given. */
  async sees(prefix: string, expected: readonly string[], order: "any" | "same" = "any"): Promise<void> {
    const sorted = (texts: readonly string[]): readonly string[] =>
      order === "any" ? [...texts].sort() : texts;
    await expect
      .poll(async () => sorted(await this.texts(prefix)), { timeout: 30_000 })
      .toEqual(sorted(expected));
  }

  async menu(text: string, action: string): Promise<void> {
    await this.bubble(text).hover();
    await this.bubble(text).getByRole("button", { name: "Actions for this message" }).click();
    await this.page.getByRole("menuitem", { name: action }).click();
  }

  /** The network is gone for this browser; its open sockets with it. */
  async goOffline(): Promise<void> {
    await this.context.setOffline(true);
    await expect(this.banner).toHaveAttribute("data-kind", "offline");
  }

  async comeBack(): Promise<void> {
    await this.context.setOffline(false);
    await expect(this.banner).toHaveAttribute("data-kind", /back|none/);
  }
}
