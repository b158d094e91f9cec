// Sends what waits: conversations side by side, the messages of one conversation strictly one after the other.
import { backoff } from "../connection/backoff.js";
import type { ParlourError } from "../errors.js";
import type { Platform } from "../platform.js";
import type { OutboxEntry } from "./entry.js";

interface DrainOptions {
  readonly platform: Platform;
  readonly signal: AbortSignal;
  /** Takes the function that tells of new entries. */
  readonly onWake: (wake: () => void) => void;
  readonly entries: () => readonly OutboxEntry[];
  /** Tries once; an error means: again later, the same. */
  readonly transmit: (entry: OutboxEntry) => Promise<"settled" | ParlourError>;
}

/** Runs until the signal aborts and nothing is on its way any more. */
export async function drain(options: DrainOptions): Promise<void> {
  const { signal, entries } = options;
  const running = new Map<number, Promise<void>>();
  const pump = (): void => {
    if (signal.aborted) {
      return;
    }
    for (const { conversationId } of entries()) {
      if (!running.has(conversationId) && next(entries(), conversationId) !== undefined) {
        const work = drainConversation(options, conversationId).finally(() => {
          running.delete(conversationId);
          // Something may have been added in the instant in which this one ended.
          pump();
        });
        running.set(conversationId, work);
      }
    }
  };
  options.onWake(pump);
  pump();
  await new Promise<void>((resolve) => {
    if (signal.aborted) {
      resolve();
    }
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await Promise.allSettled(running.values());
}

/** The first one that waits. One that is not kept yet holds up those behind it. */
function next(entries: readonly OutboxEntry[], conversationId: number): OutboxEntry | undefined {
  const first = entries.find(
    (entry) => entry.conversationId === conversationId && entry.state.status !== "failed",
  );
  return first?.kept === true && first.state.status === "pending" ? first : undefined;
}

async function drainConversation(options: DrainOptions, conversationId: number): Promise<void> {
  const { platform, signal } = options;
  let attempt = 0;
  while (!signal.aborted) {
    const entry = next(options.entries(), conversationId);
    if (entry === undefined) {
      return;
    }
    const outcome = await options.transmit(entry);
    if (outcome === "settled") {
      attempt = 0;
      continue;
    }
    attempt += 1;
    await pause(platform, signal, backoff(attempt, platform.random(), outcome.retryAfterMs));
  }
}

function pause(platform: Platform, signal: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      stop();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const stop = platform.after(ms, done);
    signal.addEventListener("abort", done);
  });
}
