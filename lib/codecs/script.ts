/**
 * JSON inside of a `<script>` of HTML.
 *
 * @module
 */
import { encodeLine } from "./line.ts";
import type { Publication } from "../types.ts";

/** What HTML, or a script before ECMAScript 2019, takes for something else than a part of a string. */
const UNSAFE = /[<>&\u2028\u2029]/g;

/** JSON that neither ends a script nor begins a comment in it. All of these stand only in strings. */
export function escapeJson(json: string): string {
  return json.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A publication's line, escaped. */
export function encodeScriptLine(publication: Publication): string {
  return escapeJson(encodeLine(publication));
}

/** A call of the function `name`; the arguments are escaped JSON. */
export function encodeCall(name: string, ...args: readonly string[]): string {
  return `<script>${name}(${args.join()})</script>\n`;
}
