/**
 * A session as the hub knows it, and where it is present. There may be a million of them: what is known of each hangs on
 * itself, not in tables beside it.
 *
 * @module
 */
import type { Present } from "../types.ts";

/** A session that is counted in: what the hub knows of it, whoever asks. */
export interface Admitted {
  /** Its public id; set by {@linkcode Guard} alone. */
  id: string;
  readonly address: string;
  /** It is on another node, which tells of it what there is to tell. */
  readonly isElsewhere?: true;
  /** Its id is one that another node has made; set by {@linkcode Roster} alone. */
  isAway?: boolean;
  /** Whose it is, if anybody's, and the JSON that the user's token brought. */
  user: string | undefined;
  info: string | undefined;
  /** Where it is present, the newest first, as a list by {@linkcode Place.next}; set by {@linkcode Presence} alone. */
  place: Place | undefined;
}

/** A session on a channel. */
export interface Place {
  readonly channel: string;
  /**
   * What gives it its order: when it was taken, in milliseconds since 1970 with fractions that tell apart what one node took
   * within one, and the public id that the session had then.
   */
  readonly at: number;
  readonly session: string;
  /** As it is shown; nothing of a place that is empty. */
  present: Present | undefined;
  /** Another one of the same session. */
  next: Place | undefined;
  /** As it was told by {@linkcode Joins}, if it was; set by them alone. */
  told: Present | undefined;
}
