// The pure parts of the connection: transitions, back-off, fallback, positions, the event stream.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoff, LONGEST_DELAY_MS } from "./backoff.js";
import { failed, INITIAL_FALLBACK, RETRY_WEBSOCKET_MS, tryWebSocket, worked } from "./fallback.js";
import { Positions } from "./positions.js";
import { EventStreamParser } from "./sse.js";
import { mayFollow, TRANSITIONS } from "./state.js";

describe("back-off", () => {
  test("is full jitter: from nothing to twice as much each time, 30 s at most", () => {
    expect([1, 2, 3, 4, 5, 6, 7, 100].map((attempt) => backoff(attempt, 0.9999))).toEqual(
      [1, 2, 4, 8, 16, 30, 30, 30].map((seconds) => seconds * 1000 - Math.ceil((seconds * 1000) / 10_000)),
    );
    expect(backoff(50, 0)).toBe(0);
  });

  test("is within its bounds for any attempt, and never less than the server asks for", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e6 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempt, random) => {
          expect(backoff(attempt, random)).toBeLessThanOrEqual(LONGEST_DELAY_MS);
          expect(backoff(attempt, random, 45_000)).toBeGreaterThanOrEqual(45_000);
        },
      ),
    );
  });
});

describe("states", () => {
  test("every state can be left, and can lead back to open", () => {
    const names = Object.keys(TRANSITIONS) as (keyof typeof TRANSITIONS)[];
    for (const from of names) {
      const reached = new Set([from]);
      for (const name of reached) {
        for (const next of TRANSITIONS[name]) {
          reached.add(next);
        }
      }
      expect(reached.has("open")).toBe(true);
      expect(mayFollow(from, from)).toBe(false);
    }
    expect(mayFollow("idle", "open")).toBe(false);
    expect(mayFollow("waiting", "open")).toBe(false);
  });
});

describe("the choice of transport", () => {
  test("after three failures in a row the next one, later WebSockets again", () => {
    let state = INITIAL_FALLBACK;
    state = failed(state, 0);
    state = failed(state, 0);
    expect(state.transport).toBe("websocket");
    state = worked(state);
    for (let n = 0; n < 3; n += 1) {
      state = failed(state, 1000);
    }
    expect(state.transport).toBe("sse");
    expect(tryWebSocket(state, 2000)).toBe(state);
    const again = tryWebSocket(state, 1000 + RETRY_WEBSOCKET_MS);
    expect(again.transport).toBe("websocket");
    expect(failed(again, 0).transport).toBe("sse");
    for (let n = 0; n < 3; n += 1) {
      state = failed(state, 1000);
    }
    expect(state.transport).toBe("polling");
    for (let n = 0; n < 3; n += 1) {
      state = failed(state, 1000);
    }
    expect(state).toEqual(INITIAL_FALLBACK);
  });
});

describe("positions", () => {
  const position = (seq: number, receipts = 0, epoch = 1) => ({ conversation_id: 7, epoch, seq, receipts });

  test("hand each Change over once, whatever arrives (G5)", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 60 }), (seqs) => {
        const positions = new Positions();
        positions.learn(position(0));
        const delivered = seqs.filter((seq) => positions.take(7, seq) === "deliver");
        expect(delivered).toEqual(delivered.map((_seq, at) => at + 1));
      }),
    );
  });

  test("a reply that is ahead of what was replayed means: load anew, never silence (G7)", () => {
    const nothing = { resync: [], gone: [], presence: [] };
    const cases: [ReturnType<typeof position>, ReturnType<typeof position>, boolean, string | null][] = [
      [position(5), position(5), true, null],
      [position(5), position(6), true, "too_long"],
      [position(5), position(5, 3), true, null],
      [position(5), position(5, 3), false, "too_long"],
      [position(5, 0, 1), position(5, 0, 2), true, "epoch"],
    ];
    for (const [known, now, viaResume, reason] of cases) {
      const positions = new Positions();
      positions.learn(known);
      positions.forResume(10);
      const { resync } = positions.resumed({ ...nothing, conversations: [now] }, viaResume);
      expect(resync.map((entry) => entry.reason)).toEqual(reason === null ? [] : [reason]);
      expect(positions.get(7)).toEqual(now);
    }
  });

  test("what was not named for want of room is compared", () => {
    const positions = new Positions();
    positions.learn(position(5));
    positions.learn({ ...position(5), conversation_id: 8 });
    expect(positions.forResume(1)).toHaveLength(1);
    const conversations = [position(5), { ...position(9), conversation_id: 8 }];
    const { resync } = positions.resumed({ conversations, resync: [], gone: [], presence: [] }, true);
    expect(resync).toEqual([{ conversation_id: 8, reason: "too_long" }]);
  });

  test("what is not in the reply is gone, what is new is named", () => {
    const positions = new Positions();
    positions.learn(position(5));
    const conversations = [{ ...position(1), conversation_id: 9 }];
    const result = positions.resumed({ conversations, resync: [], gone: [], presence: [] }, true);
    expect(result).toEqual({ resync: [], gone: [7], unknown: [9] });
    expect(positions.get(7)).toBeUndefined();
  });
});

describe("the event stream", () => {
  test("is the same however it is cut", () => {
    const text = ": comment\n\nid: a\ndata: 1\n\ndata: 2\r\ndata: 3\r\n\r\nevent: x\n\nid: b\ndata:4\n\n";
    const expected = [
      ["1", "a"],
      ["2\n3", null],
      ["4", "b"],
    ];
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: text.length }), { maxLength: 10 }), (cuts) => {
        const seen: [string, string | null][] = [];
        const parser = new EventStreamParser((data, id) => seen.push([data, id]));
        const places = [0, ...cuts.sort((a, b) => a - b), text.length];
        for (let at = 1; at < places.length; at += 1) {
          parser.push(text.slice(places[at - 1], places[at]));
        }
        expect(seen).toEqual(expected);
      }),
    );
  });
});
