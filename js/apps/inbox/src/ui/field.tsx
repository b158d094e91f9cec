// Form parts: a labelled text field with its error, a search field, a switch, and a choice of a few.
import type { ComponentChildren, JSX, Ref } from "preact";
import { useId } from "preact/hooks";
import { IconButton } from "./button";
import css from "./field.module.css";
import { Icon, type IconName } from "./icon";

export interface FieldProps {
  label: string;
  value: string;
  onInput: (value: string) => void;
  type?: "text" | "password";
  error?: string | null;
  autocomplete?: string;
  placeholder?: string;
  maxLength?: number;
  inputRef?: Ref<HTMLInputElement>;
  after?: ComponentChildren;
}

export function Field({
  label,
  value,
  onInput,
  type = "text",
  error = null,
  inputRef,
  after,
  ...rest
}: FieldProps): JSX.Element {
  const id = useId();
  return (
    <div class={css.field}>
      <label class={css.label} for={id}>
        {label}
      </label>
      <div class={css.row}>
        <input
          {...rest}
          {...(inputRef ? { ref: inputRef } : {})}
          id={id}
          class={css.input}
          {...(type === "password" ? { type: "password" } : { type: "text" })}
          value={value}
          spellcheck={false}
          autocapitalize="none"
          aria-invalid={error ? true : undefined}
          aria-describedby={error ? `${id}-error` : undefined}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
        {after}
      </div>
      {error ? (
        <p id={`${id}-error`} class={css.error}>
          {error}
        </p>
      ) : null}
    </div>
  );
}

export interface SearchFieldProps {
  label: string;
  clearLabel: string;
  value: string;
  onInput: (value: string) => void;
  placeholder?: string;
  /** A dialog begins here. */
  autoFocus?: boolean;
  onKeyDown?: (event: KeyboardEvent) => void;
}

export function SearchField({
  label,
  clearLabel,
  value,
  onInput,
  placeholder,
  autoFocus = false,
  onKeyDown,
}: SearchFieldProps): JSX.Element {
  return (
    <div class={css.search}>
      <Icon name="search" size={18} class={css.searchIcon} />
      <input
        {...(autoFocus ? { "data-autofocus": true } : {})}
        class={css.searchInput}
        type="search"
        value={value}
        placeholder={placeholder ?? label}
        aria-label={label}
        autocomplete="off"
        spellcheck={false}
        enterkeyhint="search"
        onInput={(event) => onInput(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape" && value !== "") {
            event.preventDefault();
            event.stopPropagation();
            onInput("");
          } else onKeyDown?.(event);
        }}
      />
      {value === "" ? null : (
        <IconButton icon="close" size="s" label={clearLabel} onClick={() => onInput("")} />
      )}
    </div>
  );
}

export interface SwitchProps {
  label: string;
  hint?: string;
  on: boolean;
  onChange: (on: boolean) => void;
}

export function Switch({ label, hint, on, onChange }: SwitchProps): JSX.Element {
  const id = useId();
  return (
    <div class={css.switchRow}>
      <div class={css.switchText}>
        <span id={id}>{label}</span>
        {hint ? (
          <span id={`${id}-hint`} class={css.hint}>
            {hint}
          </span>
        ) : null}
      </div>
      <button
        type="button"
        role="switch"
        aria-checked={on}
        aria-labelledby={id}
        aria-describedby={hint ? `${id}-hint` : undefined}
        class={css.switch}
        onClick={() => onChange(!on)}
      >
        <span class={css.knob} />
      </button>
    </div>
  );
}

export interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  options: readonly { value: T; label: string; icon: IconName }[];
  onChange: (value: T) => void;
}

export function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>): JSX.Element {
  const name = useId();
  return (
    <fieldset class={css.choice}>
      <legend class={css.label}>{label}</legend>
      <div class={css.options}>
        {options.map((option) => (
          <label key={option.value} class={css.option}>
            <input
              type="radio"
              class="visually-hidden"
              name={name}
              checked={option.value === value}
              onChange={() => onChange(option.value)}
            />
            <span class={css.optionFace}>
              <Icon name={option.icon} size={18} />
              {option.label}
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
