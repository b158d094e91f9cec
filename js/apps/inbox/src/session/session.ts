// Who is at this browser: asks the server at the start, follows sign-in and sign-out, notices when it ends.
import type { Me, ParlourClient } from "@parlour/client";
import { useStore } from "@parlour/react";
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Key } from "../i18n";

export type Session =
  | { status: "starting" }
  /** The server did not answer; it is asked again. */
  | { status: "unreachable" }
  | { status: "signed-out"; notice: Key | null }
  | { status: "signed-in"; me: Me };

export interface SessionControl {
  session: Session;
  signIn: (username: string, password: string) => Promise<void>;
  signOut: () => Promise<void>;
}

const AGAIN_MS = 3_000;

export function useSession(client: ParlourClient): SessionControl {
  const [session, setSession] = useState<Session>({ status: "starting" });
  const connection = useStore(client.connection);

  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      try {
        const me = await client.restore({ signal: stop.signal });
        if (stop.signal.aborted) return;
        if (me) client.connect();
        setSession(me ? { status: "signed-in", me } : { status: "signed-out", notice: null });
      } catch {
        if (stop.signal.aborted) return;
        setSession({ status: "unreachable" });
        timer = setTimeout(ask, AGAIN_MS);
      }
    };
    void ask();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [client]);

  const ended = connection.status === "closed" && connection.reason === "not_authenticated";
  useEffect(() => {
    if (ended)
      setSession((now) =>
        now.status === "signed-in" ? { status: "signed-out", notice: "signin.ended" } : now,
      );
  }, [ended]);

  const signIn = useCallback(
    async (username: string, password: string) => {
      const me = await client.login({ username, password });
      setSession({ status: "signed-in", me });
    },
    [client],
  );
  const signOut = useCallback(async () => {
    try {
      await client.logout();
    } finally {
      setSession({ status: "signed-out", notice: null });
    }
  }, [client]);

  return { session, signIn, signOut };
}
