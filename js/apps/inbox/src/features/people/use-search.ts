// Asks the server for people as one types: a little later, and only the last answer counts.
import { useClient } from "@parlour/react";
import { useEffect, useState } from "preact/hooks";
import { displayName } from "../../platform/names";
import { MIN_QUERY, type Person } from "./model";

const WAIT_MS = 200;

export interface Search {
  query: string;
  setQuery: (query: string) => void;
  status: "idle" | "loading" | "ready" | "error";
  found: readonly Person[];
}

/** `without`: who need not be found. */
export function useSearch(without: ReadonlySet<string>): Search {
  const client = useClient();
  const [query, setQuery] = useState("");
  const [status, setStatus] = useState<Search["status"]>("idle");
  const [found, setFound] = useState<readonly Person[]>([]);

  useEffect(() => {
    const wanted = query.trim();
    if (wanted.length < MIN_QUERY) {
      setStatus("idle");
      setFound([]);
      return undefined;
    }
    setStatus("loading");
    const stop = new AbortController();
    const timer = setTimeout(() => {
      client.users.search(wanted, { signal: stop.signal }).then(
        (users) => {
          if (stop.signal.aborted) return;
          setFound(users.map((user) => ({ id: user.id, name: displayName(user), username: user.username })));
          setStatus("ready");
        },
        () => {
          if (!stop.signal.aborted) setStatus("error");
        },
      );
    }, WAIT_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [client, query]);

  return { query, setQuery, status, found: found.filter((person) => !without.has(person.id)) };
}
