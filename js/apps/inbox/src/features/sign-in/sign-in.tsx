// Connects the sign-in page with the server.
import { ParlourError } from "@parlour/client";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Key, t } from "../../i18n";
import { fetchSignInMethods } from "../../platform/api";
import { readMethods, type SignInOptions, signInError } from "./model";
import { SignInView } from "./sign-in-view";

export interface SignInProps {
  notice: Key | null;
  signIn: (username: string, password: string) => Promise<void>;
}

export function SignIn({ notice, signIn }: SignInProps): JSX.Element {
  const [options, setOptions] = useState<SignInOptions | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Key | null>(null);

  useEffect(() => {
    let here = true;
    document.title = `${t("signin.submit")} · ${t("app.name")}`;
    void fetchSignInMethods().then((answer) => {
      if (here) setOptions(readMethods(answer.ok ? answer.body : null));
    });
    return () => {
      here = false;
    };
  }, []);

  const submit = async (username: string, password: string): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await signIn(username, password);
    } catch (thrown) {
      setError(signInError(thrown instanceof ParlourError ? (thrown.status ?? null) : null));
      setBusy(false);
    }
  };

  return <SignInView options={options} busy={busy} error={error} notice={notice} onSubmit={submit} />;
}
