// Who is in a conversation, and who may do what with whom.

export type Role = "member" | "admin" | "owner";
export type Presence = "online" | "away" | "offline";

export interface Person {
  id: string;
  name: string;
  username: string;
}

export interface Member extends Person {
  role: Role;
  presence: Presence;
  lastSeen: Date | null;
  self: boolean;
}

const RANK: Readonly<Record<Role, number>> = { owner: 2, admin: 1, member: 0 };
const THERE: Readonly<Record<Presence, number>> = { online: 2, away: 1, offline: 0 };

/** Oneself first, then who has more to say, then who is there, then by name. */
export function sortMembers(members: readonly Member[]): readonly Member[] {
  return [...members].sort(
    (a, b) =>
      Number(b.self) - Number(a.self) ||
      RANK[b.role] - RANK[a.role] ||
      THERE[b.presence] - THERE[a.presence] ||
      a.name.localeCompare(b.name),
  );
}

export interface Rights {
  add: boolean;
  leave: boolean;
  /** Whom one may remove. */
  remove: (member: Member) => boolean;
}

/** What the server will allow; it decides, this only hides what it would refuse. */
export function rightsOf(own: Role | null, group: boolean): Rights {
  const manages = own === "owner" || own === "admin";
  return {
    add: group && manages,
    leave: group && own !== null,
    remove: (member) => group && manages && !member.self && own !== null && RANK[own] > RANK[member.role],
  };
}

/** How many letters a search needs before it is asked. */
export const MIN_QUERY = 2;

export function toggle(chosen: readonly Person[], person: Person): readonly Person[] {
  return chosen.some((one) => one.id === person.id)
    ? chosen.filter((one) => one.id !== person.id)
    : [...chosen, person];
}
