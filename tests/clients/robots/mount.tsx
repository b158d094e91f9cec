// Puts a React client on a page of its own and reads what is on the screen.

import type { ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { SWRConfig } from "swr";
import { document, enter, press } from "../support/dom.js";
import { type Page, PageContext } from "./room/types.js";

export class Screen {
  readonly #root: Root;
  readonly element: HTMLElement;

  private constructor(root: Root, element: HTMLElement) {
    this.#root = root;
    this.element = element;
  }

  /** Mounts a client; each has its own SWR cache, as each browser has. */
  static show(client: ReactNode, page: Page | null = null): Screen {
    const element = document.createElement("div");
    document.body.append(element);
    const root = createRoot(element);
    root.render(
      <SWRConfig value={{ provider: () => new Map(), dedupingInterval: 0, errorRetryInterval: 100 }}>
        <PageContext value={page}>{client}</PageContext>
      </SWRConfig>,
    );
    return new Screen(root, element);
  }

  /** The texts of everything that matches, in the order of the page. */
  all(selector: string): string[] {
    return [...this.element.querySelectorAll(selector)].map((found) => found.textContent);
  }

  text(selector: string): string {
    return this.all(selector).join("");
  }

  /** Types into the only input, without sending. */
  type(text: string): void {
    enter(this.#input, text);
  }

  /** Types and presses the button, as soon as the page lets one. */
  async send(text: string): Promise<void> {
    this.type(text);
    const deadline = Date.now() + 15_000;
    let button = this.element.querySelector("button");
    while (!button || button.disabled) {
      if (Date.now() > deadline) throw new Error("the page does not let one send");
      await new Promise((next) => setTimeout(next, 5));
      button = this.element.querySelector("button");
    }
    button.click();
  }

  pressEnter(): void {
    press(this.#input, "Enter");
  }

  unmount(): void {
    this.#root.unmount();
    this.element.remove();
  }

  get #input(): HTMLInputElement {
    const input = this.element.querySelector("input");
    if (!input) throw new Error("there is no input on the page");
    return input;
  }
}
