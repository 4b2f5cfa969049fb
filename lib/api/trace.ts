/**
 * `GET /api/publications/ID`: what became of a traced publication.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import { type Action, json } from "./call.ts";

/** What is noted under an id. */
export const trace: Action = {
  scope: "stats",
  async run({ url, options }) {
    const id = readId(url);
    const publications = await options.hub.publication(id);
    if (publications === undefined) {
      throw new GongError("not_found", "Nothing is noted of a publication with this id.");
    }
    return json({ id, publications });
  },
};

function readId({ pathname }: URL): string {
  try {
    return decodeURIComponent(pathname.slice(pathname.lastIndexOf("/") + 1));
  } catch (cause) {
    throw new GongError("bad_request", "The id is not percent-encoded UTF-8.", { cause });
  }
}
