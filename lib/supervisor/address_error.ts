/** An address cannot be listened on: which one, and, as its cause, why. */
export class AddressError extends Error {
  override readonly name = "AddressError";

  constructor(
    /** The setting that names it, e.g. `--port`. */
    readonly flag: string,
    readonly host: string,
    readonly port: number,
    cause: unknown,
  ) {
    super(`cannot listen on ${host}, port ${port}`, { cause });
  }
}
