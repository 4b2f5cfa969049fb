/**
 * A port that one Gong has for itself, although its edges share it.
 *
 * @module
 */

/** Ports free for TCP that are tried for 0, until one is free for UDP too. */
const TRIES = 100;

/** A port that is ours until it is released. */
export interface PortClaim {
  readonly port: number;
  /** Lets others have it. Idempotent. */
  release(): void;
}

/**
 * Claims a port for this process alone, or a free one for 0.
 *
 * The edges share the TCP port (`SO_REUSEPORT`), so that none of them would notice another Gong on it. Asking for it
 * alone first finds a server that runs already, but not one that is asking at the same moment: the question has to be
 * taken back before the edges can listen. What is held as long as the process lives is therefore the UDP port of the
 * same number, which nobody shares and nothing is read from. The system frees it with the process, at once.
 *
 * @throws {Deno.errors.AddrInUse} when somebody has the TCP port or the UDP port
 */
export function claimPort(hostname: string, port: number): PortClaim {
  for (let left = port === 0 ? TRIES : 1;; left--) {
    try {
      return claimThis(hostname, port === 0 ? findPort(hostname, 0) : port);
    } catch (error) {
      if (left === 1 || !(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** In this order: who comes second must not disturb the first one's edges by asking for their port. */
function claimThis(hostname: string, port: number): PortClaim {
  const claim = holdPort(hostname, port);
  try {
    findPort(hostname, port);
    return claim;
  } catch (error) {
    claim.release();
    throw error;
  }
}

function holdPort(hostname: string, port: number): PortClaim {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port });
  let held = true;
  return {
    port,
    release() {
      if (held) socket.close();
      held = false;
    },
  };
}

/** The port, if nobody listens on it. */
function findPort(hostname: string, port: number): number {
  const listener = Deno.listen({ hostname, port });
  const found = listener.addr.port;
  listener.close();
  return found;
}
