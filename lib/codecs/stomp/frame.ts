/** A frame from a client. */
export interface StompFrame {
  /** One to sixteen letters of A to Z; whether there is such a command is for others to say. */
  readonly command: string;
  /** Of a repeated header the first value; names and values unescaped. */
  readonly headers: ReadonlyMap<string, string>;
  /** In memory of its own. Any command may have one, also those that must not. */
  readonly body: Uint8Array;
  /** The message that it began in was text. */
  readonly isText: boolean;
}

/** The most that a frame may have (section "Size Limits"). */
export interface StompLimits {
  /** Headers of a frame. */
  readonly headers: number;
  /** Bytes of the command and of each header line, without the LF. */
  readonly line: number;
  /** Bytes of all of them, with their LFs. */
  readonly head: number;
  /** Bytes of the body. */
  readonly body: number;
}
