// Decides what is shown: the sign-in page, the inbox, or that the server cannot be reached yet.
import type { ParlourClient } from "@parlour/client";
import { ParlourProvider } from "@parlour/react";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { loadPreferences, themeAttribute } from "./features/settings/model";
import { SignIn } from "./features/sign-in/sign-in";
import { t } from "./i18n";
import { armSound } from "./platform/sound";
import { InboxPage } from "./routes/inbox-page";
import { navigate, parseRoute, type Route, usePath } from "./routes/router";
import { useSession } from "./session/session";
import { Logo } from "./ui/logo";
import { Spinner } from "./ui/state";

export function App({ client }: { client: ParlourClient }): JSX.Element {
  const { session, signIn, signOut } = useSession(client);
  const route = parseRoute(usePath());
  const wanted = useRef<Route>(route);
  const { status } = session;

  useEffect(() => applyTheme(), []);
  useEffect(() => armSound(), []);
  useEffect(() => {
    if (status === "signed-out" && route.page !== "login") {
      wanted.current = route;
      navigate({ page: "login" }, "replace");
    } else if (status === "signed-in" && route.page === "login") {
      navigate(wanted.current.page === "login" ? { page: "home" } : wanted.current, "replace");
    }
  }, [status, route]);

  switch (session.status) {
    case "starting":
    case "unreachable":
      return <Splash text={t(session.status === "starting" ? "common.loading" : "app.unreachable")} />;
    case "signed-out":
      return <SignIn notice={session.notice} signIn={signIn} />;
    case "signed-in":
      return (
        <ParlourProvider client={client} connect={false}>
          <InboxPage
            me={session.me}
            route={route}
            onSignOut={() => {
              wanted.current = { page: "home" };
              void signOut();
            }}
          />
        </ParlourProvider>
      );
  }
}

function Splash({ text }: { text: string }): JSX.Element {
  return (
    <main class="splash">
      <Logo size={52} />
      <p>{text}</p>
      <Spinner label={text} />
    </main>
  );
}

function applyTheme(): void {
  const theme = themeAttribute(loadPreferences(localStorage).theme);
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}
