// Finds people by name and gathers the chosen ones; used for a new conversation and to add to a group.
import type { JSX } from "preact";
import { t } from "../../i18n";
import { Avatar } from "../../ui/avatar";
import { SearchField } from "../../ui/field";
import { Icon } from "../../ui/icon";
import { Skeleton } from "../../ui/state";
import { MIN_QUERY, type Person } from "./model";
import css from "./people.module.css";

export interface PersonPickerProps {
  query: string;
  status: "idle" | "loading" | "ready" | "error";
  found: readonly Person[];
  chosen: readonly Person[];
  onQuery: (query: string) => void;
  onToggle: (person: Person) => void;
}

export function PersonPicker(props: PersonPickerProps): JSX.Element {
  const { query, status, found, chosen } = props;
  const isChosen = (person: Person): boolean => chosen.some((one) => one.id === person.id);

  return (
    <div class={css.picker}>
      {chosen.length > 0 ? (
        <ul class={css.chips} aria-label={t("people.new.chosen")}>
          {chosen.map((person) => (
            <li key={person.id}>
              <button
                type="button"
                class={css.chip}
                aria-label={t("people.new.remove", { name: person.name })}
                onClick={() => props.onToggle(person)}
              >
                <Avatar name={person.name} seed={person.username} size="xs" />
                {person.name}
                <Icon name="close" size={14} />
              </button>
            </li>
          ))}
        </ul>
      ) : null}
      <SearchField
        label={t("people.new.search")}
        clearLabel={t("list.clear")}
        placeholder={t("people.new.placeholder")}
        value={query}
        onInput={props.onQuery}
        autoFocus
        onKeyDown={(event) => {
          const first = found[0];
          const last = chosen[chosen.length - 1];
          if (event.key === "Enter" && first && query.trim() !== "") {
            event.preventDefault();
            props.onToggle(first);
          } else if (event.key === "Backspace" && query === "" && last) {
            props.onToggle(last);
          }
        }}
      />
      <div class={css.results} aria-live="polite" aria-busy={status === "loading"}>
        {status === "loading" && found.length === 0 ? <ResultSkeleton /> : null}
        {status === "error" ? <p class={css.hint}>{t("people.new.error")}</p> : null}
        {status === "idle" ? <p class={css.hint}>{t("people.new.hint", { count: MIN_QUERY })}</p> : null}
        {status === "ready" && found.length === 0 ? (
          <p class={css.hint}>{t("people.new.none", { query: query.trim() })}</p>
        ) : null}
        {found.length > 0 ? (
          <ul>
            {found.map((person) => (
              <li key={person.id}>
                <button
                  type="button"
                  class={css.result}
                  aria-pressed={isChosen(person)}
                  onClick={() => props.onToggle(person)}
                >
                  <Avatar name={person.name} seed={person.username} size="s" />
                  <span class={css.names}>
                    <span class={css.name} dir="auto">
                      {person.name}
                    </span>
                    <span class={css.sub}>{person.username}</span>
                  </span>
                  <span class={css.box}>{isChosen(person) ? <Icon name="check" size={16} /> : null}</span>
                </button>
              </li>
            ))}
          </ul>
        ) : null}
      </div>
    </div>
  );
}

function ResultSkeleton(): JSX.Element {
  return (
    <>
      {[48, 36, 56].map((width) => (
        <div key={width} class={css.result}>
          <Skeleton width="36px" height="36px" round />
          <Skeleton width={`${width}%`} height="12px" />
        </div>
      ))}
    </>
  );
}
