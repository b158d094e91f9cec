// The opaque cursor of the streams over HTTP, shared by server-sent events and long polling.

/** `null`: the stream begins now; `ready` then tells what has to be loaded. */
export interface Cursor {
  value: string | null;
}
