// What the sign-in page knows: who may be tried out, what was typed, and what an error means to a person.
import type { Key } from "../../i18n";

export interface DemoPerson {
  username: string;
  name: string;
  password: string;
}

export interface SignInOptions {
  /** Whether the server keeps accounts of its own. */
  accounts: boolean;
  demo: readonly DemoPerson[];
}

/** Reads the answer of GET /api/v1/auth/methods, leaving out what is not understood. */
export function readMethods(body: unknown): SignInOptions {
  const methods = isRecord(body) ? body : {};
  const people = Array.isArray(methods.demo)
    ? methods.demo
    : isRecord(methods.demo)
      ? listOf(methods.demo)
      : [];
  const shared =
    isRecord(methods.demo) && typeof methods.demo.password === "string" ? methods.demo.password : "demo";
  const accounts = [methods.password, methods.accounts, methods.login].find(
    (value) => typeof value === "boolean",
  );
  return {
    accounts: typeof accounts === "boolean" ? accounts : true,
    demo: people.flatMap((person: unknown) => {
      if (typeof person === "string") return [{ username: person, name: person, password: shared }];
      if (!isRecord(person) || typeof person.username !== "string") return [];
      const name = typeof person.name === "string" ? person.name : person.username;
      const password = typeof person.password === "string" ? person.password : shared;
      return [{ username: person.username, name, password }];
    }),
  };
}

/** The text for a failed sign-in; `status` is null when no answer came at all. */
export function signInError(status: number | null): Key {
  if (status === null) return "signin.error.network";
  if (status === 401 || status === 403 || status === 422) return "signin.error.credentials";
  if (status === 429) return "signin.error.rate";
  if (status >= 502 && status <= 504) return "signin.error.network";
  return "signin.error.other";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(demo: Record<string, unknown>): unknown[] {
  const list = demo.users ?? demo.people;
  return Array.isArray(list) ? list : [];
}
