// The sign-in page: demo people to try, a form for one's own account, and a plain word when something is wrong.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Key, t } from "../../i18n";
import { Avatar } from "../../ui/avatar";
import { Button, IconButton } from "../../ui/button";
import { Field } from "../../ui/field";
import { Logo } from "../../ui/logo";
import { Spinner } from "../../ui/state";
import type { SignInOptions } from "./model";
import css from "./sign-in.module.css";

export interface SignInViewProps {
  /** null while it is being asked for. */
  options: SignInOptions | null;
  busy: boolean;
  error: Key | null;
  /** Why one is here again. */
  notice: Key | null;
  onSubmit: (username: string, password: string) => void;
}

export function SignInView({ options, busy, error, notice, onSubmit }: SignInViewProps): JSX.Element {
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [shown, setShown] = useState(false);
  const [missing, setMissing] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  const hasDemo = (options?.demo.length ?? 0) > 0;

  useEffect(() => {
    if (options && !hasDemo) first.current?.focus();
  }, [options, hasDemo]);

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const empty = username.trim() === "" || password === "";
    setMissing(empty);
    if (!empty && !busy) onSubmit(username.trim(), password);
  };
  const problem = missing ? t("signin.error.missing") : error ? t(error) : null;

  return (
    <main class={css.page}>
      <div class={css.card}>
        <Logo size={52} />
        <h1 class={css.title}>{t("signin.title")}</h1>
        <p class={css.subtitle}>{t(notice ?? "signin.subtitle")}</p>

        {options === null ? (
          <div class={css.waiting}>
            <Spinner label={t("common.loading")} />
          </div>
        ) : null}

        {options && hasDemo ? (
          <section class={css.demo} aria-labelledby="demo-title">
            <h2 id="demo-title" class={css.sectionTitle}>
              {t("signin.demo")}
            </h2>
            <p class={css.hint}>{t("signin.demo.hint")}</p>
            <ul class={css.people}>
              {options.demo.map((person) => (
                <li key={person.username}>
                  <button
                    type="button"
                    class={css.person}
                    disabled={busy}
                    onClick={() => onSubmit(person.username, person.password)}
                  >
                    <Avatar name={person.name} seed={person.username} size="xs" />
                    <span class={css.name}>
                      <span class="visually-hidden">{t("signin.demo.as")} </span>
                      {person.name}
                    </span>
                  </button>
                </li>
              ))}
            </ul>
            {options.accounts ? <p class={css.or}>{t("signin.or")}</p> : null}
          </section>
        ) : null}

        {options?.accounts ? (
          <form class={css.form} onSubmit={submit} noValidate>
            <Field
              label={t("signin.username")}
              value={username}
              onInput={setUsername}
              autocomplete="username"
              inputRef={first}
            />
            <Field
              label={t("signin.password")}
              type={shown ? "text" : "password"}
              value={password}
              onInput={setPassword}
              autocomplete="current-password"
              after={
                <span class={css.reveal}>
                  <IconButton
                    icon="eye"
                    size="s"
                    label={t(shown ? "signin.hide" : "signin.show")}
                    aria-pressed={shown}
                    onClick={() => setShown(!shown)}
                  />
                </span>
              }
            />
            <p class={css.error} role="alert">
              {problem}
            </p>
            <Button kind="primary" wide type="submit" disabled={busy}>
              {t(busy ? "signin.busy" : "signin.submit")}
            </Button>
          </form>
        ) : null}
        {options && !options.accounts && !hasDemo ? <p class={css.hint}>{t("signin.unavailable")}</p> : null}
        {options && !options.accounts && problem ? (
          <p class={css.error} role="alert">
            {problem}
          </p>
        ) : null}
      </div>
    </main>
  );
}
