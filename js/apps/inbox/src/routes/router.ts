// Which page an address means, and moving between them with the History API.
import { useSyncExternalStore } from "preact/compat";

export type Route =
  | { page: "home" }
  | { page: "login" }
  | { page: "conversation"; id: number }
  | { page: "missing" };

/** `/` is the list, `/c/7` a conversation, `/login` the sign-in; anything else is nowhere. */
export function parseRoute(path: string): Route {
  const clean = path.length > 1 ? path.replace(/\/+$/u, "") : path;
  if (clean === "/" || clean === "") return { page: "home" };
  if (clean === "/login") return { page: "login" };
  const id = /^\/c\/([1-9]\d{0,15})$/u.exec(clean)?.[1];
  if (id !== undefined && Number.isSafeInteger(Number(id))) return { page: "conversation", id: Number(id) };
  return { page: "missing" };
}

export function pathOf(route: Route): string {
  switch (route.page) {
    case "home":
    case "missing":
      return "/";
    case "login":
      return "/login";
    case "conversation":
      return `/c/${route.id}`;
  }
}

const listeners = new Set<() => void>();

export function navigate(route: Route, how: "push" | "replace" = "push"): void {
  const path = pathOf(route);
  if (path === location.pathname) return;
  if (how === "push") history.pushState(null, "", path);
  else history.replaceState(null, "", path);
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("popstate", listener);
  };
}

/** The path as it is now; a component that uses it follows every move. */
export function usePath(): string {
  return useSyncExternalStore(subscribe, () => location.pathname);
}
