// Connects the dialogs that choose people with the SDK: a new conversation, more people for a group.
import { useClient } from "@parlour/react";
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { type Person, toggle } from "./model";
import { AddPeopleView, NewConversationView } from "./new-conversation-view";
import { useSearch } from "./use-search";

export interface NewConversationProps {
  me: string;
  onCreated: (id: number) => void;
  onClose: () => void;
}

export function NewConversation({ me, onCreated, onClose }: NewConversationProps): JSX.Element {
  const client = useClient();
  const search = useSearch(useMemo(() => new Set([me]), [me]));
  const [chosen, setChosen] = useState<readonly Person[]>([]);
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState(false);

  const create = async (title: string): Promise<void> => {
    setBusy(true);
    setFailed(false);
    const participants = chosen.map((person) => person.id);
    const kind = chosen.length > 1 ? "group" : "direct";
    try {
      const made = await client.conversations.create({
        kind,
        participants,
        ...(kind === "group" && title !== "" ? { title } : {}),
      });
      onCreated(made.id);
    } catch {
      setFailed(true);
      setBusy(false);
    }
  };

  return (
    <NewConversationView
      query={search.query}
      status={search.status}
      found={search.found}
      chosen={chosen}
      busy={busy}
      failed={failed}
      onQuery={search.setQuery}
      onToggle={(person) => {
        setChosen(toggle(chosen, person));
        search.setQuery("");
      }}
      onCreate={create}
      onClose={onClose}
    />
  );
}

export interface AddPeopleProps {
  conversation: number;
  members: ReadonlySet<string>;
  onClose: () => void;
}

export function AddPeople({ conversation, members, onClose }: AddPeopleProps): JSX.Element {
  const client = useClient();
  const search = useSearch(members);
  const [chosen, setChosen] = useState<readonly Person[]>([]);
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState(false);

  const add = async (): Promise<void> => {
    setBusy(true);
    setFailed(false);
    try {
      for (const person of chosen) await client.conversations.addParticipant(conversation, person.id);
      onClose();
    } catch {
      setFailed(true);
      setBusy(false);
    }
  };

  return (
    <AddPeopleView
      query={search.query}
      status={search.status}
      found={search.found}
      chosen={chosen}
      busy={busy}
      failed={failed}
      onQuery={search.setQuery}
      onToggle={(person) => {
        setChosen(toggle(chosen, person));
        search.setQuery("");
      }}
      onAdd={add}
      onClose={onClose}
    />
  );
}
