// Hands the client to the hooks below it.
import type { ParlourClient } from "@parlour/client";
import { createContext, createElement, type ReactNode, useContext, useEffect } from "react";

const ClientContext = createContext<ParlourClient | null>(null);

export interface ParlourProviderProps {
  readonly client: ParlourClient;
  /** Connect while mounted (default). `false`: the application calls `connect` itself. */
  readonly connect?: boolean;
  readonly children?: ReactNode;
}

export function ParlourProvider({ client, connect = true, children }: ParlourProviderProps): ReactNode {
  useEffect(() => {
    if (!connect) {
      return undefined;
    }
    client.connect();
    return () => client.disconnect();
  }, [client, connect]);
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** The client of the nearest `ParlourProvider`. */
export function useClient(): ParlourClient {
  const client = useContext(ClientContext);
  if (client === null) {
    throw new Error("useClient needs a <ParlourProvider> above it");
  }
  return client;
}
