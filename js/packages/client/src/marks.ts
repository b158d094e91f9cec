// Receipts on their way out: gathered, at most two a second, only ever forward.
import { toParlourError } from "./errors.js";
import type { Platform, Stop } from "./platform.js";

const INTERVAL_MS = 500;

interface Mark {
  readonly read: number;
  readonly delivered: number;
}

interface MarksOptions {
  readonly platform: Platform;
  readonly isOpen: () => boolean;
  readonly send: (kind: "read" | "delivered", conversation: number, seq: number) => Promise<void>;
  /** The server has this read mark now. */
  readonly onRead: (conversation: number) => void;
}

export class Marks {
  readonly #options: MarksOptions;
  /** The furthest that was asked for, and the furthest that the server has. */
  readonly #wanted = new Map<number, Mark>();
  readonly #told = new Map<number, Mark>();
  #stop: Stop | null = null;
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(options: MarksOptions) {
    this.#options = options;
  }

  read(conversation: number, seq: number): void {
    this.#want(conversation, { read: seq, delivered: seq });
  }

  delivered(conversation: number, seq: number): void {
    this.#want(conversation, { read: 0, delivered: seq });
  }

  /** Where the server stands, as a loaded conversation tells. */
  known(conversation: number, read: number, delivered: number): void {
    this.#told.set(conversation, furthest(this.#told.get(conversation), { read, delivered }));
  }

  /** Whether a read mark has still to reach the server. */
  hasUntoldRead(conversation: number): boolean {
    return (this.#wanted.get(conversation)?.read ?? 0) > (this.#told.get(conversation)?.read ?? 0);
  }

  /** There is a connection again. */
  resume(): void {
    this.#schedule();
  }

  /** Its log is another one now. */
  forget(conversation: number): void {
    this.#wanted.delete(conversation);
    this.#told.delete(conversation);
  }

  clear(): void {
    this.#stop?.();
    this.#stop = null;
    this.#wanted.clear();
    this.#told.clear();
  }

  #want(conversation: number, mark: Mark): void {
    this.#wanted.set(conversation, furthest(this.#wanted.get(conversation), mark));
    this.#schedule();
  }

  #schedule(): void {
    if (this.#stop !== null || this.#next() === null || !this.#options.isOpen()) {
      return;
    }
    const { platform } = this.#options;
    // Always a moment later, so that what belongs together goes together.
    const wait = Math.max(20, this.#lastAt + INTERVAL_MS - platform.now());
    this.#stop = platform.after(Math.min(wait, INTERVAL_MS), () => {
      this.#stop = null;
      this.#flush();
    });
  }

  /** The next mark that the server does not have: reading first, it covers receiving. */
  #next(): { conversation: number; kind: "read" | "delivered"; seq: number } | null {
    let delivered: { conversation: number; kind: "delivered"; seq: number } | null = null;
    for (const [conversation, wanted] of this.#wanted) {
      const told = this.#told.get(conversation) ?? { read: 0, delivered: 0 };
      if (wanted.read > told.read) {
        return { conversation, kind: "read", seq: wanted.read };
      }
      if (wanted.delivered > told.delivered) {
        delivered ??= { conversation, kind: "delivered", seq: wanted.delivered };
      } else {
        this.#wanted.delete(conversation);
      }
    }
    return delivered;
  }

  #flush(): void {
    const next = this.#next();
    if (next === null || !this.#options.isOpen()) {
      return;
    }
    this.#lastAt = this.#options.platform.now();
    const { conversation, kind, seq } = next;
    const before = this.#told.get(conversation);
    this.#told.set(conversation, furthest(before, { read: kind === "read" ? seq : 0, delivered: seq }));
    this.#options.send(kind, conversation, seq).then(
      () => {
        if (kind === "read") {
          this.#options.onRead(conversation);
        }
      },
      (thrown: unknown) => {
        // Refused for good: told or not makes no difference. Else it is wanted still.
        if (toParlourError(thrown).class !== "rejected") {
          this.#restore(conversation, before, seq, kind);
        }
      },
    );
    this.#schedule();
  }

  #restore(conversation: number, before: Mark | undefined, seq: number, kind: "read" | "delivered"): void {
    if (before === undefined) {
      this.#told.delete(conversation);
    } else {
      this.#told.set(conversation, before);
    }
    this.#want(conversation, { read: kind === "read" ? seq : 0, delivered: seq });
  }
}

function furthest(one: Mark | undefined, other: Mark): Mark {
  return {
    read: Math.max(one?.read ?? 0, other.read),
    delivered: Math.max(one?.delivered ?? 0, other.delivered),
  };
}
