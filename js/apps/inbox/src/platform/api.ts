// The few calls that the SDK has no words for: which sign-ins there are, one's own name, one message by its id.

export type Answer = { ok: true; body: unknown } | { ok: false; status: number | null };

async function ask(path: string, init: RequestInit = {}): Promise<Answer> {
  try {
    const response = await fetch(path, {
      credentials: "same-origin",
      ...init,
      headers: { Accept: "application/json", ...(init.body ? { "Content-Type": "application/json" } : {}) },
    });
    if (!response.ok) return { ok: false, status: response.status };
    const text = await response.text();
    return { ok: true, body: text === "" ? null : JSON.parse(text) };
  } catch {
    return { ok: false, status: null };
  }
}

export function fetchSignInMethods(): Promise<Answer> {
  return ask("/api/v1/auth/methods");
}

export function rename(name: string): Promise<Answer> {
  return ask("/api/v1/me", { method: "PATCH", body: JSON.stringify({ name }) });
}

export function fetchMessage(id: number): Promise<Answer> {
  return ask(`/api/v1/messages/${id}`);
}
