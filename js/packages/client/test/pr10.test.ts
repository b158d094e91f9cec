// PR10: random plans of sends, cuts, offline times, reloads, tab closes, two tabs and server faults (guarantee G26).
import fc from "fast-check";
import { expect, test } from "vitest";
import { FakeDevice } from "./fake-device.js";
import { refusal } from "./fake-peer.js";
import { FakeServer } from "./fake-server.js";
import { type Person, person } from "./harness.js";

type Step =
  | { readonly do: "send"; readonly tab: number; readonly conversation: number }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "cut" | "offline" | "online" | "reload" | "blackhole"; readonly tab: number }
  | { readonly do: "fault"; readonly fault: "lose" | "drop" | "unavailable" | "unknown" | "none" };

const tab = fc.constantFrom(0, 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("send" as const), tab, conversation: fc.constantFrom(0, 1) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      ms: fc.constantFrom(1, 4, 7, 12, 30, 400, 5_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "cut" as const,
        "offline" as const,
        "online" as const,
        "reload" as const,
        "blackhole" as const,
      ),
      tab,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("fault" as const),
      fault: fc.constantFrom(
        "lose" as const,
        "drop" as const,
        "unavailable" as const,
        "unknown" as const,
        "none" as const,
      ),
    }),
  },
);

interface Sent {
  readonly text: string;
  readonly by: Person;
  readonly conversation: number;
  accepted: boolean;
}

async function run(steps: readonly Step[], random: number): Promise<void> {
  const server = new FakeServer();
  const { clock } = server;
  const conversations = [server.createConversation(["1", "2"]), server.createConversation(["1", "3"])];
  const device = new FakeDevice(server);
  const sent: Sent[] = [];
  const everybody: Person[] = [];
  const open = (): Person => {
    const someone = person(server, "1", {}, device);
    someone.tab.random = random;
    someone.client.connect();
    everybody.push(someone);
    return someone;
  };
  const tabs = [open(), open()];
  await clock.advance(200);
  let fault: Extract<Step, { do: "fault" }>["fault"] = "none";
  server.intercept = (frame) => {
    if (frame.type !== "message.send" || fault === "none") {
      return undefined;
    }
    return fault === "lose" || fault === "drop" ? fault : refusal(fault, 50);
  };
  for (const action of steps) {
    switch (action.do) {
      case "send": {
        const by = tabs[action.tab] as Person;
        const entry: Sent = {
          text: `message ${sent.length}`,
          by,
          conversation: action.conversation,
          accepted: false,
        };
        sent.push(entry);
        const { id } = conversations[action.conversation] as { id: number };
        by.client
          .conversation(id)
          .send(entry.text)
          .then(
            () => {
              entry.accepted = true;
            },
            // Nobody had signed in yet: refused, so not accepted.
            () => undefined,
          );
        break;
      }
      case "wait":
        await clock.advance(action.ms);
        break;
      case "cut":
        tabs[action.tab]?.tab.cut();
        break;
      case "offline":
      case "online":
        tabs[action.tab]?.tab.setOnline(action.do === "online");
        break;
      case "blackhole":
        if (tabs[action.tab] !== undefined) {
          (tabs[action.tab] as Person).tab.blackHole = true;
        }
        break;
      case "reload":
        tabs[action.tab]?.tab.close();
        tabs[action.tab] = open();
        break;
      case "fault":
        fault = action.fault;
        break;
    }
  }
  // Everything heals, and time passes.
  fault = "none";
  for (const someone of tabs) {
    someone.tab.blackHole = false;
    someone.tab.setOnline(true);
  }
  await clock.advance(180_000);
  for (const [at, conversation] of conversations.entries()) {
    const stored = conversation.inOrder().map((message) => message.content);
    const mine = sent.filter((entry) => entry.conversation === at);
    expect(new Set(stored).size, "nothing twice").toBe(stored.length);
    for (const entry of mine.filter((one) => one.accepted)) {
      expect(stored, "nothing lost").toContain(entry.text);
    }
    for (const someone of everybody) {
      const inOrder = mine.filter((entry) => entry.by === someone && stored.includes(entry.text));
      const places = inOrder.map((entry) => stored.indexOf(entry.text));
      expect(places, "in the order of sending").toEqual([...places].sort((a, b) => a - b));
    }
    for (const { client } of tabs) {
      const { items } = client.conversation(conversation.id).timeline.getSnapshot();
      expect(
        items.filter((item) => item.kind === "pending"),
        "nothing left over",
      ).toEqual([]);
    }
  }
  // And both pages have seen each Change at most once, in order (G5).
  for (const someone of everybody) {
    for (const conversation of conversations) {
      const seqs = someone.changes.filter((c) => c.conversation_id === conversation.id).map((c) => c.seq);
      expect(seqs, "each Change once").toEqual([...new Set(seqs)].sort((a, b) => a - b));
    }
  }
}

test("PR10: every accepted send is stored exactly once, in order, after any plan (G26)", {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.constantFrom(0, 0.3, 0.999),
      async (steps, random) => run(steps, random),
    ),
    { numRuns: Number(process.env.PARLOUR_PROPERTY_RUNS ?? 150) },
  );
});
