// Ticks as a pure function: how far a message of one's own has come with the others.
import type { Tick } from "../api.js";
import type { Participant } from "../protocol/wire.js";

/** `read` when all the others have read it, `delivered` when all have received it. Who joined later does not count. */
export function tickOf(seq: number, participants: readonly Participant[], me: string): Tick {
  let others = 0;
  let delivered = true;
  let read = true;
  for (const who of participants) {
    if (who.user_id === me || who.joined_seq >= seq) {
      continue;
    }
    others += 1;
    delivered &&= who.delivered_seq >= seq;
    read &&= who.read_seq >= seq;
  }
  if (others === 0 || !delivered) {
    return "sent";
  }
  return read ? "read" : "delivered";
}
