/**
 * How a client gets into a namespace: as somebody new, or as who it was before its connection dropped.
 *
 * @module
 */
import { encodeCursor, MAX_CURSOR } from "../../codecs/cursor.ts";
import { channelOf } from "../../codecs/socketio.ts";
import type { DoorSession } from "../../door.ts";
import { type ErrorCode, ERRORS, GongError } from "../../errors.ts";
import { FewMap } from "../../few_map.ts";
import { NO_AUTH } from "../../socketio/connecting.ts";
import type { ConnectAnswer, ServerSocket } from "../../socketio/engine.ts";
import type { Position, Start } from "../../types.ts";
import type { Arrival, Begun } from "./arrival.ts";
import { type ConnectWish, readConnect } from "./connect.ts";
import { type Membership, membershipOf } from "./membership.ts";
import type { Shared } from "./shared.ts";
import { decodeState, startsOf, type State } from "./state.ts";

/** The namespaces of a connection, to which there is to be one more. */
export interface Entered {
  readonly session: DoorSession;
  readonly shared: Shared;
  /** The socket that was connected first, if any is. */
  readonly home: ServerSocket | undefined;
  /** Whether clients may come back. */
  readonly remembers: boolean;
  arrive(starts: ReadonlyMap<string, Start | undefined>): Arrival;
  /** Keeps what the socket can be gone on with; without its pid from then on where that cannot be stored. */
  remember(socket: ServerSocket): Promise<void>;
  /** Opens the arrival as soon as the client has been told that it is connected. */
  admit(socket: ServerSocket, arrival: Arrival): void;
  say(socket: ServerSocket, event: string, ...args: readonly unknown[]): void;
}

/** Who is let in, and as whom. */
interface Entry {
  readonly arrival: Arrival;
  readonly begun: ReadonlyMap<string, Begun>;
  readonly pid: string | undefined;
  readonly recovered: boolean;
}

const NOWHERE: ReadonlyMap<string, Position> = new Map();
/** The server cannot now: a client that comes again may be let in, and by itself it comes only to a new connection. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["overloaded", "internal", "timeout", "restarting", "going_away"]);

/**
 * Subscribes to all that a client asks for with CONNECT; resolves to its answer.
 *
 * @throws {GongError} when anything of it is refused: it hears nothing then
 */
export async function enter(namespaces: Entered, socket: ServerSocket): Promise<ConnectAnswer> {
  const { session } = namespaces;
  try {
    const wish = readConnect(socket.namespace, socket.auth);
    // A secret may be in it, and what else is there would stay as long as the socket.
    socket.auth = NO_AUTH;
    const { token, key, user } = wish.said;
    if ((token ?? key ?? user) !== undefined) await session.identify(wish.said);
    const before = await comeBack(namespaces, socket, wish);
    const answer = await letIn(namespaces, socket, before ?? await begin(namespaces, wish));
    session.returned(before !== undefined);
    return answer;
  } catch (cause) {
    const error = GongError.from(cause);
    session.returned(false);
    if (PASSING.has(error.code)) {
      session.countRefusal(error.code);
      // Answered, it would not come again by itself.
      session.refuse(error);
    } else {
      session.noteRefusal(error.code, channelOf(socket.namespace));
    }
    throw error;
  }
}

/** Goes on where the client was: all of it, or nothing (undefined). */
async function comeBack(
  namespaces: Entered,
  { namespace }: ServerSocket,
  { pid, offset }: ConnectWish,
): Promise<Entry | undefined> {
  const { session, shared } = namespaces;
  if (pid === undefined || !namespaces.remembers) return undefined;
  const text = await session.recall(pid);
  if (text === undefined) return undefined;
  const state = decodeState(text);
  // Who gives none has heard nothing since it was let in.
  const heard = offset === undefined ? NOWHERE : shared.offsets.read(offset);
  const isIts = state?.namespace === namespace && state.user === session.user && heard && isHome(namespaces, state);
  const arrival = isIts ? arrive(namespaces, startsOf(state, heard)) : undefined;
  const begun = await arrival?.begun.catch(forgive);
  if (arrival && begun && [...begun.values()].every(({ recovered }) => recovered)) {
    return { arrival, begun, pid, recovered: true };
  }
  arrival?.undo();
  session.forget(pid);
  return undefined;
}

/** What the user gets comes in one namespace, and was to come in this one if it is the first. */
function isHome({ session: { inbox }, home }: Entered, { since }: State): boolean {
  return inbox === undefined || since.has(inbox) === (home === undefined);
}

/** Without a right that it had, it is somebody new. */
function forgive(cause: unknown): undefined {
  const { code } = GongError.from(cause);
  if (code !== "forbidden" && code !== "too_many") throw cause;
}

/** Each channel beside that of the namespace is as much work as a message. @throws {GongError} `rate_limited` */
function arrive(namespaces: Entered, starts: ReadonlyMap<string, Start | undefined>): Arrival {
  const { session, shared: { config: { messageRate } } } = namespaces;
  // CONNECT was one of a burst: who has said nothing else is let in.
  const most = messageRate * 2 - 1;
  if (starts.size > 1) session.count(Math.min(starts.size - 1, most));
  return namespaces.arrive(starts);
}

async function begin(namespaces: Entered, wish: ConnectWish): Promise<Entry> {
  const { session, home, remembers } = namespaces;
  const { inbox } = session;
  const starts = new Map<string, Start | undefined>(wish.channels);
  if (inbox !== undefined && !(home && membershipOf(home).since.has(inbox))) starts.set(inbox, wish.since.get(inbox));
  const arrival = arrive(namespaces, starts);
  const begun = await arrival.begun;
  const recovered = wish.since.size > 0 && [...begun.values()].every(({ recovered }) => recovered);
  return { arrival, begun, pid: remembers ? session.newPid() : undefined, recovered };
}

async function letIn(
  namespaces: Entered,
  socket: ServerSocket,
  { arrival, begun, pid, recovered }: Entry,
): Promise<ConnectAnswer> {
  const { session, home } = namespaces;
  const membership: Membership = { pid, since: new FewMap() };
  socket.data = membership;
  for (const [channel, { position }] of begun) {
    // Whose user it is may be known only by now.
    const owner = home && channel === session.inbox ? membershipOf(home) : membership;
    owner.since.set(channel, position);
  }
  try {
    if (home && begun.has(session.inbox!)) await namespaces.remember(home);
    await namespaces.remember(socket);
    arrival.check();
    checkIsThere(session);
  } catch (error) {
    arrival.undo();
    // Nobody was told of it. One by which the client has come back is still its own.
    if (membership.pid !== undefined && !recovered) session.forget(membership.pid);
    throw error;
  }
  namespaces.admit(socket, arrival);
  for (const [channel, begin] of begun) if (!begin.recovered) namespaces.say(socket, "$lost", channel);
  const cursor = begun.size > MAX_CURSOR
    ? ""
    : encodeCursor(Array.from(begun, ([channel, { position }]) => [channel, position]));
  return { sid: session.id, ...(membership.pid === undefined ? {} : { pid }), recovered, cursor };
}

function checkIsThere(session: DoorSession): void {
  if (session.hasLeft) throw new GongError("going_away", ERRORS.going_away.text);
}
