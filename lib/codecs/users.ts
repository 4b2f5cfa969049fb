/**
 * Users as JSON, with what their tokens brought as it is.
 *
 * @module
 */
import type { SessionInfo, UserInfo, UserPage } from "../types.ts";

/** One user as an object, with ids of sessions or more about each. */
export function encodeUser(user: UserInfo, sessions: readonly (string | SessionInfo)[] = user.sessions): string {
  const info = user.info === undefined ? "" : `"info":${user.info},`;
  return `{"user":${JSON.stringify(user.user)},${info}"count":${user.count},"sessions":${JSON.stringify(sessions)}}`;
}

/** One page as an object. */
export function encodeUserPage({ users, total, next }: UserPage): string {
  const rest = next === undefined ? "" : `,"next":${JSON.stringify(next)}`;
  return `{"users":[${users.map((user) => encodeUser(user)).join()}],"total":${total}${rest}}`;
}
