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
  const event = new window.KeyboardEvent("keypress", { key, bubbles: true });
  // React hears a keypress only with the code of its character.
  Object.defineProperty(event, "charCode", { value: key === "Enter" ? 13 : key.charCodeAt(0) });
  input.dispatchEvent(event as unknown as Event);
}
