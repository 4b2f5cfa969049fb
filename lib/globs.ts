/**
 * Names of channels, and patterns over them.
 *
 * @module
 */

/** The grammar of PROTOCOL.md, "Channels". A `$` alone reserves nothing, so something has to follow it. */
const CHANNEL = /^\$?[A-Za-z0-9_.:/%~=+!-]{1,128}$/;
const GLOB = /^\$?[A-Za-z0-9_.:/%~=+!*-]{1,128}$/;
const MAX_LENGTH = 128;

/** What {@linkcode isChannelName} wants, to be told to whoever wrote another. */
export const CHANNEL_GRAMMAR = "1 to 128 of `A-Z a-z 0-9 _ . : / % ~ = + ! -`";

/** Whether the text is a name a channel can have: 1 to 128 characters of the grammar, a reserved one included. */
export function isChannelName(name: string): boolean {
  return name.length <= MAX_LENGTH && CHANNEL.test(name);
}

/** Whether the name belongs to the server itself: `$admin`, `$user/ID` ... */
export function isReserved(name: string): boolean {
  return name.startsWith("$");
}

/** Whether the text is a pattern that some channel can match: the grammar of a channel, and `*`. */
export function isGlob(pattern: string): boolean {
  return pattern.length <= MAX_LENGTH && GLOB.test(pattern);
}

/**
 * One predicate for several patterns: true when any of them matches the whole name. `*` is any run of characters, none
 * included; everything else stands for itself, case included. A name that begins with `$` is matched only by a pattern
 * that does too, so that `*` never opens what is reserved.
 *
 * The time is bounded by the length of the name times that of the pattern, whatever the pattern.
 *
 * @throws {SyntaxError} for a pattern that is not an {@linkcode isGlob}.
 * @example
 * const isPublic = compileGlobs(["broadcast", "news:*"]);
 * isPublic("news:sport"); // true
 */
export function compileGlobs(patterns: readonly string[]): (name: string) => boolean {
  for (const pattern of patterns) {
    if (!isGlob(pattern)) throw new SyntaxError(`not a channel pattern: ${JSON.stringify(pattern)}`);
  }
  const exact = new Set(patterns.filter((pattern) => !pattern.includes("*")));
  const globs = patterns.filter((pattern) => pattern.includes("*"));
  const reserved = globs.filter(isReserved);
  const ordinary = globs.filter((glob) => !isReserved(glob));
  // Asked at each publication of a session: nothing is made here.
  return (name) => {
    if (exact.has(name)) return true;
    for (const glob of isReserved(name) ? reserved : ordinary) if (matches(glob, name)) return true;
    return false;
  };
}

/**
 * Two pointers: when what follows the last `*` fails, that `*` takes one more character. Going back to an earlier `*`
 * could never help, which is what keeps this from being exponential.
 */
function matches(glob: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  let index = 0;
  while (index < name.length) {
    if (glob[at] === "*") {
      star = at++;
      resume = index;
    } else if (glob[at] === name[index]) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++resume;
    } else {
      return false;
    }
  }
  while (glob[at] === "*") at++;
  return at === glob.length;
}
