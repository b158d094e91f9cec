// What arrives, in order: decides with the positions what is new, and hands each Change over exactly once (guarantee G5).
import type { Positions } from "./connection/positions.js";
import { isChange } from "./protocol/codec.js";
import type {
  ChangeEvent,
  ConversationCreated,
  Expiring,
  PresenceEvent,
  ReceiptEvent,
  Replay,
  Reply,
  ResyncRequired,
  ServerFrame,
  TypingEvent,
} from "./protocol/events.js";
import type { Hello } from "./protocol/wire.js";

/** Changes and receipts of one conversation that belong together: one event, or one replay. */
export interface Batch {
  readonly conversation: number;
  readonly changes: readonly ChangeEvent[];
  readonly receipts: readonly ReceiptEvent[];
  /** Every Change up to here is covered; `null` when the batch says nothing about that. */
  readonly upTo: number | null;
}

export interface ReceiverSink {
  onBatch(batch: Batch): void;
  onCreated(event: ConversationCreated): void;
  onTyping(event: TypingEvent): void;
  onPresence(event: PresenceEvent): void;
  onExpiring(event: Expiring): void;
  onResyncRequired(event: ResyncRequired): void;
}

export class Receiver {
  readonly #positions: Positions;
  readonly #sink: ReceiverSink;

  constructor(positions: Positions, sink: ReceiverSink) {
    this.#positions = positions;
    this.#sink = sink;
  }

  /** `false`: something is missing before it, so resume. */
  receive(frame: Exclude<ServerFrame, Hello | Reply>): boolean {
    if (isChange(frame)) {
      return this.#change(frame.conversation_id, frame.seq, [frame]);
    }
    switch (frame.type) {
      case "replay":
        return this.#replay(frame);
      case "unknown":
        return frame.conversation_id === null || frame.seq === null
          ? true
          : this.#change(frame.conversation_id, frame.seq, []);
      case "receipt":
        this.#positions.receipt(frame.conversation_id, frame.version);
        this.#sink.onBatch({
          conversation: frame.conversation_id,
          changes: [],
          receipts: [frame],
          upTo: null,
        });
        return true;
      case "conversation.created": {
        const { id, epoch, last_seq, receipts } = frame.conversation;
        this.#positions.learn({ conversation_id: id, epoch, seq: last_seq, receipts });
        this.#sink.onCreated(frame);
        return true;
      }
      case "typing":
        this.#sink.onTyping(frame);
        return true;
      case "presence":
        this.#sink.onPresence(frame);
        return true;
      case "expiring":
        this.#sink.onExpiring(frame);
        return true;
      case "resync_required":
        this.#sink.onResyncRequired(frame);
        return false;
      case "ready":
      case "restarting":
        return true;
    }
  }

  #change(conversation: number, seq: number, changes: readonly ChangeEvent[]): boolean {
    switch (this.#positions.take(conversation, seq)) {
      case "gap":
        return false;
      case "duplicate":
        return true;
      case "deliver":
        this.#sink.onBatch({ conversation, changes, receipts: [], upTo: seq });
        return true;
    }
  }

  #replay(frame: Replay): boolean {
    if (this.#positions.beginReplay(frame) === "gap") {
      return false;
    }
    const conversation = frame.conversation_id;
    const changes: ChangeEvent[] = [];
    const receipts: ReceiptEvent[] = [];
    for (const event of frame.events) {
      if (event.type === "receipt") {
        receipts.push(event);
      } else if (isChange(event) && this.#positions.isNew(conversation, event.seq)) {
        changes.push(event);
      }
    }
    this.#positions.finishReplay(frame);
    for (const receipt of receipts) {
      this.#positions.receipt(conversation, receipt.version);
    }
    this.#sink.onBatch({ conversation, changes, receipts, upTo: frame.up_to });
    return true;
  }
}
