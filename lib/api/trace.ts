/**
 * `GET /api/publications/ID`: what became of a traced publication.
 *
 * @module
 */
import { GongError } from "../errors.ts";
import { type Action, json } from "./call.ts";
import { decodeId, lastName } from "./query.ts";

/** What is noted under an id. */
export const trace: Action = {
  scope: "stats",
  async run({ url, options }) {
    const id = decodeId(lastName(url));
    const publications = await options.hub.publication(id);
    if (publications === undefined) {
      throw new GongError("not_found", "Nothing is noted of a publication with this id.");
    }
    return json({ id, publications });
  },
};
