// pusher-js, its Node build, pointed at a server of the kit; with what a test wants to know of it.
import Pusher, { type Channel, type Options } from "pusher-js";
import { expect } from "vitest";
import { APP } from "./server.js";
import { eventually } from "./stage.js";

export interface Heard {
  readonly event: string;
  readonly data: unknown;
}

export interface Subscription {
  readonly channel: Channel;
  readonly heard: Heard[];
  /** What `pusher:subscription_error` said. */
  readonly errors: unknown[];
}

const open: Pusher[] = [];

/** A client of the server at `http://host:port`. */
export function client(http: string, options: object = {}, key: string = APP.key): Pusher {
  const { hostname, port } = new URL(http);
  const pusher = new Pusher(key, {
    cluster: "",
    wsHost: hostname,
    wsPort: Number(port),
    forceTLS: false,
    enabledTransports: ["ws"],
    disableStats: true,
    ...options,
  } satisfies Options);
  open.push(pusher);
  return pusher;
}

export async function connected(pusher: Pusher): Promise<Pusher> {
  await eventually(() => expect(pusher.connection.state).toBe("connected"));
  return pusher;
}

/** Subscribes and keeps everything that the channel hears. */
export function listen(pusher: Pusher, name: string): Subscription {
  const heard: Heard[] = [];
  const errors: unknown[] = [];
  const channel = pusher.subscribe(name);
  channel.bind("pusher:subscription_error", (error: unknown) => errors.push(error));
  channel.bind_global((event: string, data: unknown) => {
    if (!event.startsWith("pusher")) heard.push({ event, data });
  });
  return { channel, heard, errors };
}

/** The same, once the server has confirmed it. */
export async function subscribed(pusher: Pusher, name: string): Promise<Subscription> {
  const subscription = listen(pusher, name);
  await eventually(() => {
    expect(subscription.errors).toEqual([]);
    expect(subscription.channel.subscribed).toBe(true);
  });
  return subscription;
}

/** Ends every client that a test has opened. */
export function endAll(): void {
  for (const pusher of open.splice(0)) pusher.disconnect();
}
