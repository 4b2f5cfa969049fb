/**
 * What a client says of who it is, unchecked: a key, a token, a name.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import { isUser } from "../reserved.ts";

/** What the headers and the query say; on a wire with words for it, its first frame. */
export interface Credentials {
  /** The value of `X-API-Key`. */
  readonly key?: string | undefined;
  /** What `Authorization: Bearer` has: a key or a token. */
  readonly bearer?: string | undefined;
  /** The parameter `token`. */
  readonly token?: string | undefined;
  /** The parameter `user`. */
  readonly user?: string | undefined;
}

const BEARER = /^Bearer +(\S+)$/i;

/**
 * The key or token of the headers.
 *
 * @throws {GongError} `unauthorized` for a scheme other than Bearer
 */
export function readHeaders(headers: Headers): Pick<Credentials, "key" | "bearer"> {
  const key = headers.get("x-api-key");
  const authorization = headers.get("authorization");
  const bearer = authorization === null ? undefined : BEARER.exec(authorization)?.[1];
  if (authorization !== null && bearer === undefined) {
    throw new GongError("unauthorized", "Only `Authorization: Bearer KEY` is understood.");
  }
  return { key: key ?? undefined, bearer };
}

/**
 * Takes `token` and `user` out of the query, so that nothing behind sees them, or writes them down.
 *
 * @throws {GongError} `bad_request` for one that comes twice, or a `user` that cannot be one
 */
export function takeQuery({ searchParams }: URL): Pick<Credentials, "token" | "user"> {
  const token = take(searchParams, "token");
  const user = take(searchParams, "user");
  if (user !== undefined && !isUser(user)) {
    throw wrong("user", "`user` has to be 1 to 128 characters, and a name for its channel.");
  }
  return { token, user };
}

/**
 * Looks that all of them say the same.
 *
 * @throws {GongError} `bad_request` for two that differ
 */
export function checkAgreement({ key, bearer, token, user }: Credentials): void {
  if (key !== undefined && bearer !== undefined && key !== bearer) {
    throw wrong("X-API-Key", "`X-API-Key` and `Authorization` name different keys.");
  }
  const header = key ?? bearer;
  if (token !== undefined && header !== undefined && token !== header) {
    throw wrong("token", "`token` and a header differ in who it is.");
  }
  if (user !== undefined && (token ?? header) !== undefined) {
    throw wrong("user", "`user` is beside a key or a token, which says who it is.");
  }
}

function take(query: URLSearchParams, name: string): string | undefined {
  const [value, ...more] = query.getAll(name);
  if (value === undefined) return undefined;
  query.delete(name);
  if (more.length > 0) throw wrong(name, `\`${name}\` is there twice.`);
  return value;
}

function wrong(field: string, message: string): GongError {
  return new GongError("bad_request", message, { field });
}
