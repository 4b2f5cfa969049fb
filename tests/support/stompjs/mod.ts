/**
 * The client libraries that are tried with each version that they speak.
 *
 * @module
 */
import { legacy } from "./legacy.ts";
import type { Library } from "./library.ts";
import { modern } from "./modern.ts";

export { bodies, ended, type Library, type LibraryClient, type Message, type Subscription } from "./library.ts";

export const LIBRARIES: readonly Library[] = [modern, legacy];

/** Each library with each of its versions. */
export const SPEAKERS: readonly { readonly library: Library; readonly version: string; readonly name: string }[] =
  LIBRARIES.flatMap((library) =>
    library.versions.map((version) => ({ library, version, name: `${library.name} speaks STOMP ${version}` }))
  );
