// Where the client stands in each conversation: decides that every Change is handed over once, in order, without a gap.
import type { Replay } from "../protocol/events.js";
import type { Position, ResumeResult, ResyncReason } from "../protocol/wire.js";

/** What to do with a Change. `gap`: something is missing, so resume. */
export type Verdict = "deliver" | "duplicate" | "gap";

export interface Resumed {
  readonly resync: readonly { readonly conversation_id: number; readonly reason: ResyncReason }[];
  readonly gone: readonly number[];
  /** Conversations that are new here. */
  readonly unknown: readonly number[];
}

/** The epoch of a position that began with an event, which does not name one. */
const NO_EPOCH = 0;

export class Positions {
  readonly #known = new Map<number, Position>();
  /** Conversations whose position was named in the resume that is under way. */
  #named = new Set<number>();

  get(conversation: number): Position | undefined {
    return this.#known.get(conversation);
  }

  /** What `resume` names: at most `most`; those that are left out are compared with the reply. */
  forResume(most: number): readonly Position[] {
    const positions = [...this.#known.values()].filter(({ epoch }) => epoch !== NO_EPOCH).slice(0, most);
    this.#named = new Set(positions.map((position) => position.conversation_id));
    return positions;
  }

  /** A Change that came alone. */
  take(conversation: number, seq: number): Verdict {
    const known = this.#known.get(conversation);
    if (known === undefined) {
      this.#known.set(conversation, { conversation_id: conversation, epoch: NO_EPOCH, seq, receipts: 0 });
      return "deliver";
    }
    if (seq <= known.seq) {
      return "duplicate";
    }
    if (seq > known.seq + 1) {
      return "gap";
    }
    this.#known.set(conversation, { ...known, seq });
    return "deliver";
  }

  /** Whether a replay frame follows on what is here. What it covers is known once `finishReplay` is called. */
  beginReplay(frame: Replay): Verdict {
    const known = this.#known.get(frame.conversation_id);
    return known !== undefined && frame.after > known.seq ? "gap" : "deliver";
  }

  /** Whether a Change of a replay is new here. */
  isNew(conversation: number, seq: number): boolean {
    return seq > (this.#known.get(conversation)?.seq ?? 0);
  }

  finishReplay(frame: Replay): void {
    const { conversation_id, up_to } = frame;
    const known = this.#known.get(conversation_id) ?? {
      conversation_id,
      epoch: NO_EPOCH,
      seq: 0,
      receipts: 0,
    };
    if (up_to > known.seq || !this.#known.has(conversation_id)) {
      this.#known.set(conversation_id, { ...known, seq: Math.max(known.seq, up_to) });
    }
  }

  /** A receipt's version. */
  receipt(conversation: number, version: number): void {
    const known = this.#known.get(conversation);
    if (known !== undefined && version > known.receipts) {
      this.#known.set(conversation, { ...known, receipts: version });
    }
  }

  /** A conversation that was loaded, or whose making was announced. A position that is known stays. */
  learn(position: Position): void {
    const known = this.#known.get(position.conversation_id);
    if (known === undefined) {
      this.#known.set(position.conversation_id, position);
    } else if (known.epoch === NO_EPOCH) {
      this.#known.set(position.conversation_id, { ...known, epoch: position.epoch });
    }
  }

  forget(conversation: number): void {
    this.#known.delete(conversation);
  }

  clear(): void {
    this.#known.clear();
    this.#named.clear();
  }

  /** The reply to `resume`, or `ready`: settles what has to be loaded anew. Nothing is ever missing in silence. */
  resumed(result: ResumeResult, viaResume: boolean): Resumed {
    const resync = new Map(result.resync.map((entry) => [entry.conversation_id, entry.reason]));
    const there = new Set<number>();
    const unknown: number[] = [];
    for (const position of result.conversations) {
      const id = position.conversation_id;
      const known = this.#known.get(id);
      there.add(id);
      if (known === undefined) {
        unknown.push(id);
      } else if (!resync.has(id) && !this.#sameLog(known, position, viaResume)) {
        resync.set(id, known.epoch === position.epoch ? "too_long" : "epoch");
      }
      this.#known.set(id, position);
    }
    const gone = new Set(result.gone);
    for (const id of this.#known.keys()) {
      if (!there.has(id)) {
        gone.add(id);
      }
    }
    for (const id of gone) {
      this.#known.delete(id);
      resync.delete(id);
    }
    return {
      resync: [...resync].map(([conversation_id, reason]) => ({ conversation_id, reason })),
      gone: [...gone],
      unknown: unknown.filter((id) => !gone.has(id)),
    };
  }

  /** Whether what is here is all there is up to the position. */
  #sameLog(known: Position, now: Position, viaResume: boolean): boolean {
    const sameEpoch = known.epoch === now.epoch || known.epoch === NO_EPOCH;
    const sameReceipts =
      known.receipts >= now.receipts || (viaResume && this.#named.has(now.conversation_id));
    return sameEpoch && known.seq >= now.seq && sameReceipts;
  }
}
