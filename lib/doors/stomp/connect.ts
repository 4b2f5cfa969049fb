/**
 * CONNECT: which version, and who.
 *
 * @module
 */
import type { StompFrame, StompVersion } from "../../codecs/stomp.ts";
import type { Credentials } from "../../auth/credentials.ts";
import { GongError } from "../../errors.ts";
import { isUser } from "../../reserved.ts";

/** The highest first. */
export const VERSIONS: readonly StompVersion[] = ["1.2", "1.1", "1.0"];

const BEARER = /^Bearer +(\S+)$/i;

/**
 * The highest version that the client accepts, and not above that of the subprotocol.
 *
 * @throws {GongError} `unsupported_type`: there is none
 */
export function chooseVersion({ headers }: StompFrame, protocol: StompVersion | undefined): StompVersion {
  // Who says nothing is of the time when there was one version (STOMP 1.2, "Protocol Negotiation").
  const accepted = (headers.get("accept-version") ?? "1.0").split(",", 16).map((text) => text.trim());
  const spoken = protocol === undefined ? VERSIONS : VERSIONS.slice(VERSIONS.indexOf(protocol));
  const version = spoken.find((version) => accepted.includes(version));
  if (version !== undefined) return version;
  throw new GongError("unsupported_type", `Supported protocol versions are ${spoken.join(", ")}.`);
}

/**
 * Who the client says it is: `passcode` is a key or a token, as is a `Bearer`; a `login` alone is the name of a user.
 *
 * @throws {GongError} `unauthorized`, `bad_request`
 */
export function readCredentials({ headers }: StompFrame): Credentials {
  const get = (name: string) => headers.get(name) || undefined;
  const [login, passcode, token] = [get("login"), get("passcode"), get("token")];
  const authorization = get("Authorization") ?? get("authorization");
  const bearer = authorization === undefined ? passcode : BEARER.exec(authorization)?.[1];
  if (authorization !== undefined && bearer === undefined) {
    throw new GongError("unauthorized", "Of `Authorization` only `Bearer KEY` is understood.");
  }
  if (passcode !== undefined && passcode !== bearer) {
    throw new GongError("bad_request", "`passcode` and `Authorization` differ in who it is.");
  }
  const key = get("X-API-Key") ?? get("x-api-key");
  if (login === undefined || (key ?? bearer ?? token) !== undefined) return { key, bearer, token };
  if (isUser(login)) return { user: login };
  throw new GongError("bad_request", "`login` has to be 1 to 128 characters, and a name for a channel.");
}
