// A modal dialog on the browser's own <dialog>: it holds the focus, Esc closes it, a click beside it too.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "../i18n";
import { Button, IconButton } from "./button";
import css from "./dialog.module.css";

export interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  actions?: ComponentChildren;
  narrow?: boolean;
}

export function Dialog({ title, onClose, children, actions, narrow = false }: DialogProps): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const before = document.activeElement;
    const dialog = ref.current;
    dialog?.showModal();
    (dialog?.querySelector<HTMLElement>("[data-autofocus]") ?? dialog)?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      tabIndex={-1}
      class={`${css.dialog} ${narrow ? css.narrow : ""}`}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        if (event.target === ref.current) onClose();
      }}
    >
      <div class={css.frame}>
        <header class={css.header}>
          <h2 id={titleId} class={css.title}>
            {title}
          </h2>
          <IconButton icon="close" label={t("common.close")} size="s" onClick={onClose} />
        </header>
        <div class={css.body}>{children}</div>
        {actions ? <footer class={css.actions}>{actions}</footer> : null}
      </div>
    </dialog>
  );
}

export interface ConfirmProps {
  title: string;
  text: string;
  confirm: string;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before something that cannot be taken back. */
export function Confirm({ title, text, confirm, onConfirm, onClose }: ConfirmProps): JSX.Element {
  return (
    <Dialog
      title={title}
      onClose={onClose}
      narrow
      actions={
        <>
          <Button data-autofocus onClick={onClose}>
            {t("common.cancel")}
          </Button>
          <Button
            kind="danger"
            onClick={() => {
              onClose();
              onConfirm();
            }}
          >
            {confirm}
          </Button>
        </>
      }
    >
      <p class={css.text}>{text}</p>
    </Dialog>
  );
}
