// Connects the banner with the state of the connection; a clock runs only while there is something to tell.
import type { ConnectionState } from "@parlour/client";
import { useClient, useConnection } from "@parlour/react";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { BannerView } from "./banner-view";
import { bannerOf, type Link, START, watch } from "./model";

export function Banner(): JSX.Element {
  const client = useClient();
  const connection = useConnection();
  const link = linkOf(connection);
  const [watched, setWatched] = useState(START);
  const [now, setNow] = useState(() => Date.now());

  // The link is made of the connection.
  useEffect(() => {
    const look = (): void => {
      const time = Date.now();
      setNow(time);
      setWatched((before) => watch(before, link, time));
    };
    look();
    const timer = setInterval(look, 500);
    return () => clearInterval(timer);
  }, [connection]);

  const again = (): void => {
    client.disconnect();
    client.connect();
  };
  return (
    <BannerView banner={bannerOf(watched, link, now)} onRetry={again} onReload={() => location.reload()} />
  );
}

function linkOf(connection: ConnectionState): Link {
  switch (connection.status) {
    case "open":
      return { status: "up" };
    case "idle":
    case "connecting":
    case "authenticating":
    case "resuming":
      return { status: "connecting" };
    case "waiting":
      return { status: "waiting", retryAt: connection.retryAt };
    case "offline":
      return { status: "offline" };
    case "closed":
      return { status: "stopped", reason: connection.reason };
  }
}
