// Renews the sign-in of a live connection, in band: nothing is interrupted (guarantee G23).
import type { Connection } from "./connection/connection.js";
import type { Credentials } from "./credentials.js";
import type { Emitter } from "./emitter.js";
import { toParlourError } from "./errors.js";
import type { Platform } from "./platform.js";

/** The warning comes 60 s before the end: so often, and so far apart, a failed renewal is tried again. */
const ATTEMPTS = 4;
const PAUSE_MS = 10_000;

interface Renewable {
  readonly platform: Platform;
  readonly credentials: Credentials;
  readonly connection: Connection;
  readonly emitter: Emitter;
}

/** A session cookie cannot be renewed in band: at its end the connection closes, and comes back with what holds then. */
export async function renew({ platform, credentials, connection, emitter }: Renewable): Promise<void> {
  const { signal } = new AbortController();
  for (let attempt = 1; credentials.renewable && connection.carriesCommands; attempt += 1) {
    try {
      const token = await credentials.token("expiring", signal);
      if (token !== undefined) {
        await connection.request("auth", { token });
      }
      return;
    } catch (thrown) {
      emitter.emit("error", toParlourError(thrown));
      if (attempt === ATTEMPTS) {
        return;
      }
      await new Promise<void>((resolve) => platform.after(PAUSE_MS, resolve));
    }
  }
}
