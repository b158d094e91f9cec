// Who stands where in the list of people, and who may do what.
import { expect, it } from "vitest";
import { type Member, rightsOf, sortMembers, toggle } from "./model";

const member = (id: string, over: Partial<Member> = {}): Member => ({
  id,
  name: id,
  username: id,
  role: "member",
  presence: "offline",
  lastSeen: null,
  self: false,
  ...over,
});

it("sorts oneself, roles, presence, names", () => {
  const members = [
    member("zoe", { presence: "online" }),
    member("adam"),
    member("bob", { role: "admin" }),
    member("me", { self: true }),
    member("eve", { role: "owner" }),
    member("carl", { presence: "away" }),
  ];
  expect(sortMembers(members).map(({ id }) => id)).toEqual(["me", "eve", "bob", "zoe", "carl", "adam"]);
});

it("lets owners and admins add and remove, and only below themselves", () => {
  const owner = rightsOf("owner", true);
  const admin = rightsOf("admin", true);
  expect([owner.add, admin.add, rightsOf("member", true).add, rightsOf("owner", false).add]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(owner.remove(member("a", { role: "admin" }))).toBe(true);
  expect(admin.remove(member("a", { role: "admin" }))).toBe(false);
  expect(admin.remove(member("a"))).toBe(true);
  expect(owner.remove(member("a", { self: true }))).toBe(false);
  expect(rightsOf(null, true).leave).toBe(false);
});

it("chooses and lets go", () => {
  const [a, b] = [member("a"), member("b")];
  expect(toggle(toggle([], a), b)).toEqual([a, b]);
  expect(toggle([a, b], a)).toEqual([b]);
});
