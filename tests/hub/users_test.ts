import { assertEquals } from "@std/assert";
import type { Admitted } from "../../lib/hub/admitted.ts";
import { Users } from "../../lib/hub/users.ts";

function admitted(id: string): Admitted {
  return { id, address: "::1", user: undefined, info: undefined, place: undefined };
}

function identified(users: Users, id: string, user: string, info?: string): Admitted {
  const session = admitted(id);
  users.identify(session, user, info);
  return session;
}

Deno.test("Users.sessionsOf() and reach() follow sessions that come, change hands and go", () => {
  const users = new Users();
  const first = identified(users, "1-a", "42");
  identified(users, "2-b", "42");
  const third = identified(users, "1-c", "43");
  assertEquals([users.sessionsOf("42"), users.reach(["42", "43", "42", "44"])], [["1-a", "2-b"], 3]);
  users.identify(third, "42", undefined);
  assertEquals([users.sessionsOf("42"), users.sessionsOf("43"), users.size], [["1-a", "2-b", "1-c"], [], 1]);
  users.remove(first);
  users.remove(first);
  assertEquals([users.sessionsOf("42"), users.reach(["42"])], [["2-b", "1-c"], 2]);
});

Deno.test("Users.get() tells the newest info, and at most 100 sessions of all there are", () => {
  const users = new Users();
  for (let n = 0; n < 120; n++) identified(users, `1-${n}`, "42", `{"n":${n}}`);
  const { sessions, ...rest } = users.get("42")!;
  assertEquals([sessions.length, sessions[0], rest], [100, "1-0", { user: "42", info: '{"n":119}', count: 120 }]);
  assertEquals(users.get("43"), undefined);
});

Deno.test("Users.page() pages through all in the order of their ids, whoever comes and goes meanwhile", () => {
  const users = new Users();
  const sessions = new Map<string, Admitted>();
  for (const user of ["b", "d", "a", "c/1", "c", "ca", "é"]) sessions.set(user, identified(users, `1-${user}`, user));
  const first = users.page({ limit: 3 });
  assertEquals([first.users.map(({ user }) => user), first.total, first.next], [["a", "b", "c"], 7, "c"]);
  users.remove(sessions.get("c")!);
  users.remove(sessions.get("d")!);
  identified(users, "1-e", "e");
  const second = users.page({ limit: 3, after: first.next! });
  assertEquals([second.users.map(({ user }) => user), second.total, second.next], [["c/1", "ca", "e"], 6, "e"]);
  const third = users.page({ limit: 3, after: second.next! });
  assertEquals([third.users.map(({ user }) => user), third.total, third.next], [["é"], 6, undefined]);
});

Deno.test("Users.page() tells those of a prefix, and how many there are of it", () => {
  const users = new Users();
  for (const user of ["a", "b", "b:1", "b:2", "b:3", "ba", "c"]) identified(users, `1-${user}`, user);
  const page = (after?: string) => {
    const { users: found, ...rest } = users.page({ limit: 2, prefix: "b:", ...(after === undefined ? {} : { after }) });
    return [found.map(({ user }) => user), rest.total, rest.next];
  };
  assertEquals(page(), [["b:1", "b:2"], 3, "b:2"]);
  assertEquals(page("b:2"), [["b:3"], 3, undefined]);
  assertEquals(page("a"), [["b:1", "b:2"], 3, "b:2"], "what lies before the prefix moves nothing");
  assertEquals(page("c"), [[], 3, undefined]);
  assertEquals(users.page({ limit: 2, prefix: "x" }), { users: [], total: 0 });
});
