// The dialog that begins a conversation: one person for a direct one, several and a title for a group.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { t } from "../../i18n";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Field } from "../../ui/field";
import css from "./people.module.css";
import { PersonPicker, type PersonPickerProps } from "./person-picker";

export interface NewConversationViewProps extends PersonPickerProps {
  busy: boolean;
  failed: boolean;
  onCreate: (title: string) => void;
  onClose: () => void;
}

export function NewConversationView(props: NewConversationViewProps): JSX.Element {
  const [title, setTitle] = useState("");
  const { chosen } = props;
  const group = chosen.length > 1;
  return (
    <Dialog
      title={t("people.new.title")}
      onClose={props.onClose}
      actions={
        <>
          <Button onClick={props.onClose}>{t("common.cancel")}</Button>
          <Button
            kind="primary"
            disabled={chosen.length === 0 || props.busy}
            onClick={() => props.onCreate(title.trim())}
          >
            {t(group ? "people.new.create" : "people.new.start")}
          </Button>
        </>
      }
    >
      {group ? (
        <div class={css.groupTitle}>
          <Field
            label={t("people.new.group")}
            placeholder={t("people.new.group.placeholder")}
            value={title}
            onInput={setTitle}
            maxLength={128}
          />
        </div>
      ) : (
        <p class={css.lead}>{t("people.new.several")}</p>
      )}
      <PersonPicker {...props} />
      <p class={css.error} role="alert">
        {props.failed ? t("people.new.failed") : null}
      </p>
    </Dialog>
  );
}

export interface AddPeopleViewProps extends PersonPickerProps {
  busy: boolean;
  failed: boolean;
  onAdd: () => void;
  onClose: () => void;
}

export function AddPeopleView(props: AddPeopleViewProps): JSX.Element {
  return (
    <Dialog
      title={t("details.add.title")}
      onClose={props.onClose}
      actions={
        <>
          <Button onClick={props.onClose}>{t("common.cancel")}</Button>
          <Button kind="primary" disabled={props.chosen.length === 0 || props.busy} onClick={props.onAdd}>
            {t("details.add.done")}
          </Button>
        </>
      }
    >
      <PersonPicker {...props} />
      <p class={css.error} role="alert">
        {props.failed ? t("details.failed") : null}
      </p>
    </Dialog>
  );
}
