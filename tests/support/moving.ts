/**
 * Sessions on a stage that go from edge to edge, without a transport: a session's id is its client's, too.
 *
 * @module
 */
import type { Door } from "../../lib/door.ts";
import { json } from "../../lib/doors/json.ts";
import type { EndedSession, MovedSession } from "../../lib/engineio/orders.ts";
import { GongError } from "../../lib/errors.ts";
import type { Session } from "../../lib/session.ts";
import { type Client, FakeSocket, type StageEdge } from "./stage.ts";

/** Of one that has not ended on its way. */
export function asMoved(given: MovedSession | EndedSession): MovedSession {
  if ("ended" in given) throw new Error(`it has ended: ${given.ended.reason}`);
  return given;
}

/** A client that goes from edge to edge, with a socket on each. */
export class Mover {
  readonly sockets: FakeSocket[];
  session: Session;
  edge: StageEdge;
  /** What was said before a session went on. */
  readonly told: string[] = [];
  readonly #door: Door;

  constructor(edge: StageEdge, { session, socket }: Pick<Client, "session" | "socket">, door: Door = json) {
    this.edge = edge;
    this.session = session;
    this.sockets = [socket];
    this.#door = door;
    // Whatever session it is asked for: here there is one.
    edge.edge.engine = this.#engine();
  }

  /** Goes on with a socket of that edge. */
  async move(to: StageEdge): Promise<void> {
    const moved = asMoved(await to.edge.whereabouts.take(this.edge.number, "sid"));
    this.arrive(to, moved);
  }

  /** What the edge does that has taken it. */
  arrive(to: StageEdge, { session: packed }: MovedSession): void {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    socket.open();
    this.edge = to;
    this.session = to.edge.receive(packed, {
      ...{ door: this.#door, carrier: socket },
      arrived: ({ hasLeft }) => void this.told.push(hasLeft ? "left" : "arrived"),
    });
    to.edge.engine = this.#engine();
  }

  /** The socket that it has now. */
  get socket(): FakeSocket {
    return this.sockets.at(-1)!;
  }

  /** Lines of JSON that it got, on all of its sockets. */
  // deno-lint-ignore no-explicit-any
  get lines(): any[] {
    return this.sockets.flatMap(({ lines }) => lines).map((line) => JSON.parse(line));
  }

  /** What it heard of a channel, as texts. */
  heard(channel: string): string[] {
    return this.lines.filter((line) => line.type === undefined && line.channel === channel).map(({ data }) => data);
  }

  #engine() {
    return {
      serve: () => Promise.reject(new GongError("not_found")),
      abandon: () => {},
      drain() {},
      give: async () => {
        const { edge, session } = this;
        return { engine: { sid: "sid", protocol: 4 as const, frames: [] }, ...await edge.edge.give(session) };
      },
    };
  }
}
