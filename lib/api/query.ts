/**
 * What the address of a request says, strictly.
 *
 * @module
 */
import { GongError } from "../errors.ts";

/** Characters of an unknown parameter's name that are repeated to the client. */
const MAX_SHOWN = 64;

/**
 * The parameters of a query, each at most once.
 *
 * @throws {GongError} `bad_request` for one that is not among the names, or is given twice
 */
export function readQuery({ searchParams }: URL, names: readonly string[]): Map<string, string> {
  const query = new Map<string, string>();
  for (const [name, value] of searchParams) {
    const field = name.slice(0, MAX_SHOWN);
    if (!names.includes(name)) {
      throw new GongError("bad_request", `There is no parameter ${JSON.stringify(field)}.`, { field });
    }
    if (query.has(name)) throw new GongError("bad_request", `\`${name}\` is given twice.`, { field });
    query.set(name, value);
  }
  return query;
}

/**
 * The parameter `limit`.
 *
 * @throws {GongError} `bad_request` when it is no number of `least` (default 1) to `most`
 */
export function readLimit(
  query: ReadonlyMap<string, string>,
  bounds: { least?: number; most: number; otherwise: number },
): number {
  const { least = 1, most, otherwise } = bounds;
  const text = query.get("limit");
  if (text === undefined) return otherwise;
  const limit = Number(text);
  if (/^\d{1,9}$/.test(text) && limit >= least && limit <= most) return limit;
  throw new GongError("bad_request", `\`limit\` has to be ${least} to ${most}.`, { field: "limit" });
}

/** The id in a path. @throws {GongError} `bad_request` when it is not percent-encoded UTF-8 */
export function decodeId(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new GongError("bad_request", "The id is not percent-encoded UTF-8.", { cause });
  }
}

/** What stands behind the last slash of the path, as it is written there. */
export function lastName({ pathname }: URL): string {
  return pathname.slice(pathname.lastIndexOf("/") + 1);
}
