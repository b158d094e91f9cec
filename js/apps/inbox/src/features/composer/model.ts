// How much fits into a message, when to say so, and where drafts are kept.

export interface Fit {
  /** Characters that still fit, about; negative when there are too many. */
  left: number;
  show: boolean;
  over: boolean;
}

/** The limit counts bytes of UTF-8; people count characters, so what is left is told in those. */
export function fit(text: string, maxBytes: number): Fit {
  const bytes = byteLength(text);
  const left = maxBytes - bytes;
  return {
    left: left < 0 ? -overflow(text, maxBytes) : left,
    show: left < Math.max(200, maxBytes * 0.05),
    over: left < 0,
  };
}

/** There is something to say in it: more than space and invisible signs. */
export function isSendable(text: string): boolean {
  return /[^\s\p{Cf}\p{Cc}\u115f\u1160\u3164\uffa0]/u.test(text);
}

/** Drafts by conversation; they live as long as the page, and are gone with the sign-in. */
export class Drafts {
  readonly #texts = new Map<number, string>();
  readonly #listeners = new Set<() => void>();
  #version = 0;

  get(conversation: number): string {
    return this.#texts.get(conversation) ?? "";
  }

  set(conversation: number, text: string): void {
    if (this.get(conversation) === text) return;
    if (text === "") this.#texts.delete(conversation);
    else this.#texts.set(conversation, text);
    this.#version += 1;
    for (const listener of this.#listeners) listener();
  }

  readonly version = (): number => this.#version;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}

/** Puts a piece where the caret is; answers the text and the caret behind it. */
export function insertAt(
  text: string,
  start: number,
  end: number,
  piece: string,
): { text: string; caret: number } {
  return { text: text.slice(0, start) + piece + text.slice(end), caret: start + piece.length };
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

function overflow(text: string, maxBytes: number): number {
  const bytes = new TextEncoder().encode(text);
  const kept = new TextDecoder().decode(bytes.slice(0, maxBytes));
  return Math.max(1, [...text].length - [...kept].length);
}
