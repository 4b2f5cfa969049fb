/**
 * What sessions post without waiting for an answer.
 *
 * @module
 */
import { sizeOf } from "../bytes.ts";
import { GongError } from "../errors.ts";
import { creditAfter } from "../methods.ts";
import type { Draft } from "../types.ts";
import type { Directory } from "./directory.ts";
import type { Intake } from "./intake.ts";

/** For what a broker has said nothing of. */
export const INTERNAL = { error: new GongError("internal").toRefusal() };

/** What {@linkcode createPost} needs. */
export interface PostOptions {
  readonly intake: Pick<Intake, "publish">;
  readonly directory: Pick<Directory, "tell" | "places">;
  readonly busLag: number;
}

/** Publishes what the sessions of an edge post, and tells it now and then how much of it is dealt with. */
export function createPost(edge: number, { intake, directory, busLag }: PostOptions): (draft: Draft) => Promise<void> {
  let owed = 0;
  return async (draft) => {
    const [result = INTERNAL] = await intake.publish([draft]);
    if ("error" in result) {
      const session = draft.from!;
      // It may have moved since.
      directory.tell(directory.places.edgeOf(session), "refused", { session, refusal: result.error });
    }
    owed += sizeOf(draft);
    if (owed < creditAfter(busLag)) return;
    directory.tell(edge, "credit", owed);
    owed = 0;
  };
}
