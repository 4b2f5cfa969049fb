/** Why a broker cannot be used as it is set up, in words for the operator. */
export class BrokerSetupError extends Error {
  override readonly name = "BrokerSetupError";
}
