// A document for React, without a test environment that would replace fetch and WebSocket. To be imported before React DOM.
import { Window } from "happy-dom";

const window = new Window({ url: "http://127.0.0.1/" });
const missing = [
  "window",
  "navigator",
  "document",
  "HTMLElement",
  "HTMLIFrameElement",
  "Element",
  "Node",
] as const;
for (const name of missing) {
  const value = name === "window" ? window : window[name];
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

export const document = window.document as unknown as Document;

/** A key or a text in an input, as React hears it: through the native setter and an event that bubbles. */
export function enter(input: HTMLInputElement, text: string): void {
  const setter = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(input), "value")?.set;
  setter?.call(input, text);
  input.dispatchEvent(new window.Event("input", { bubbles: true }) as unknown as Event);
}

export function press(input: HTMLInputElement, key: string): void {
  const init = { key, bubbles: true, charCode: key === "Enter" ? 13 : 0 };
  input.dispatchEvent(new window.KeyboardEvent("keypress", init as object) as unknown as Event);
}
