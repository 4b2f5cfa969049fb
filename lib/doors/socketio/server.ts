/**
 * Socket.IO on an edge: Engine.IO underneath, the door on top.
 *
 * @module
 */
import { createEngineServer } from "../../engineio/server.ts";
import type { EngineServer } from "../../engineio/engine.ts";
import type { GongError } from "../../errors.ts";
import { ByteBudget } from "../../http/body.ts";
import type { DoorOptions } from "../begin.ts";
import { SocketIoDoors } from "../socketio.ts";
import { engineSettings, SocketIoHost } from "./host.ts";

/** Where it is. */
export const SOCKET_IO_PATH = "/socket.io";
/** What all bodies that are being read may have together, in bytes; four of the largest where that is more. */
const BODIES = 64 * 2 ** 20;

/** What it is made of. */
export interface SocketIoServerOptions extends DoorOptions {
  /** A secret of all edges, which outlives them. */
  readonly seal: Uint8Array;
  /** A client was refused. */
  readonly refused: (error: GongError, address: string, path: string) => void;
}

/** The server of the edge, which knows it from now on. */
export function createSocketIo({ seal, ...options }: SocketIoServerOptions): EngineServer {
  const { config, edge } = options;
  const settings = engineSettings(config);
  const refused = (error: GongError, address: string) => options.refused(error, address, SOCKET_IO_PATH);
  const host = new SocketIoHost({ ...options, refused, doors: new SocketIoDoors(config, { seal }) });
  const engine = createEngineServer({
    ...{ settings, host, whereabouts: edge.whereabouts, bodyTimeout: config.bodyTimeout },
    bodyBudget: new ByteBudget(Math.max(BODIES, settings.maxPayload * 4)),
    refused: (error, address) => {
      if (address !== undefined) refused(error, address);
      else edge.countRefusal(error.code);
    },
  });
  edge.engine = engine;
  return engine;
}
