/**
 * Engine.IO servers by themselves: what they hear they say again, and several are joined as edges are.
 *
 * @module
 */
import type { CarrierEvents } from "../../lib/carrier.ts";
import { ENGINE_CODECS } from "../../lib/codecs/engineio.ts";
import type {
  EngineHost,
  EngineServer,
  EngineSettings,
  EngineSocket,
  Leftover,
  Visit,
} from "../../lib/engineio/engine.ts";
import type { MovedSession } from "../../lib/engineio/orders.ts";
import { createEngineServer, type EngineOptions } from "../../lib/engineio/server.ts";
import { GongError } from "../../lib/errors.ts";
import type { Data } from "../../lib/types.ts";
import { until } from "./until.ts";

/** Long enough that nothing is ever late. */
export const SETTINGS: EngineSettings = {
  pingInterval: 25_000,
  pingTimeout: 20_000,
  upgradeTimeout: 10_000,
  maxPayload: 100_000,
  allowEio3: true,
};

/** How a session ended, as its host was told. */
export interface Ended {
  readonly code: number;
  readonly reason: string;
  readonly clean: boolean;
}

/** One session, as its host sees it. */
export class Heard implements CarrierEvents {
  readonly socket: EngineSocket;
  readonly said: Data[] = [];
  isOpened = false;
  changes = 0;
  ended: Ended | undefined;
  echoes = true;

  constructor(socket: EngineSocket) {
    this.socket = socket;
    socket.listen(this);
  }

  opened(): void {
    this.isOpened = true;
  }

  received(data: Data): void {
    this.said.push(data);
    if (this.echoes) this.say(data);
  }

  changed(): void {
    this.changes++;
  }

  closed(code: number, reason: string, clean: boolean): void {
    if (this.ended) throw new Error("closed twice");
    this.ended = { code, reason, clean };
  }

  /** Says a message. */
  say(data: Data): void {
    this.socket.send(ENGINE_CODECS[this.socket.protocol].encodeMessage(data));
  }
}

/** A host that echoes. */
export class EchoHost implements EngineHost<string> {
  readonly sessions: Heard[] = [];
  /** Those that came from another edge, and as whom they were here before. */
  readonly moved: MovedSession[] = [];
  readonly given: Heard[] = [];
  /** What a test replaces. */
  checkOrigin: (request: Request, url: URL) => void = () => {};
  identify: (visit: Visit) => string | Promise<string> = () => "anybody";
  refuse: GongError | undefined;
  cors?: (request: Request, url: URL) => string | undefined;
  /** Done with each session as it begins. */
  greet: (heard: Heard) => void = () => {};

  connect(socket: EngineSocket): void {
    if (this.refuse) throw this.refuse;
    const heard = new Heard(socket);
    this.sessions.push(heard);
    this.greet(heard);
  }

  /** Done while a session is on its way, before it is packed. */
  giving: (heard: Heard) => void | Promise<void> = () => {};

  async give(socket: EngineSocket): Promise<Omit<MovedSession, "engine">> {
    const heard = this.sessions.find((heard) => heard.socket === socket)!;
    await this.giving(heard);
    this.sessions.splice(this.sessions.indexOf(heard), 1);
    this.given.push(heard);
    return { session: { frames: [] } as unknown as MovedSession["session"], door: heard.said };
  }

  receive(socket: EngineSocket, moved: MovedSession): void {
    this.moved.push(moved);
    const heard = new Heard(socket);
    heard.said.push(...moved.door as Data[]);
    this.sessions.push(heard);
  }

  /** WebSockets of no session that were told to close, and of those what is there yet. */
  told = 0;
  readonly leftovers = new Set<Leftover>();

  closing(leftover: Leftover): void {
    this.told++;
    this.leftovers.add(leftover);
  }

  gone(leftover: Leftover): void {
    this.leftovers.delete(leftover);
  }

  /** The session of this id, wherever it is, unless it is on its way. */
  find(sid: string): Heard | undefined {
    return this.sessions.find(({ socket }) => socket.sid === sid);
  }

  /** The newest session. */
  get last(): Heard {
    return this.sessions.at(-1)!;
  }
}

/** A server on a port of its own. */
export interface Stage extends AsyncDisposable {
  /** Where requests go, with everything but the query's own parameters: `http://127.0.0.1:PORT/engine.io/`. */
  readonly url: string;
  readonly host: EchoHost;
  readonly servers: readonly EngineServer[];
  /** What was refused, in order. */
  readonly refusals: string[];
  /** Requests that came so far: a GET that came waits, if it is to. */
  readonly requests: number;
  /** Begins something that asks, and resolves as soon as a request has come. */
  asked<T>(begin: () => T): Promise<{ readonly begun: T }>;
}

/** How a {@linkcode Stage} is made. */
export interface StageOptions extends Partial<Omit<EngineOptions<string>, "settings">> {
  readonly settings?: Partial<EngineSettings>;
  readonly echo?: EchoHost;
  /** Servers that are joined as edges are; every request goes to any of them. Default 1. */
  readonly edges?: number;
  /** Each of them is another node's. */
  readonly far?: boolean;
  /** Which of them gets a request. Default: any. */
  readonly choose?: (request: Request) => number;
}

/** Begins one. */
export function openStage(options: StageOptions = {}): Stage {
  const { edges = 1, far = false, echo = new EchoHost(), choose = () => Math.floor(Math.random() * edges) } = options;
  const refusals: string[] = [];
  let requests = 0;
  const servers: EngineServer[] = [];
  for (let edge = 0; edge < edges; edge++) {
    const server = createEngineServer<string>({
      host: echo,
      whereabouts: {
        newSid: () => `${edge}-${crypto.randomUUID()}`,
        ownerOf(sid) {
          const owner = /^(\d)-[0-9a-f-]{36}$/.exec(sid)?.[1];
          return owner === undefined ? undefined : Number(owner) === edge ? "here" : Number(owner);
        },
        isFar: () => far,
        async ask(other, order) {
          await hop();
          const answer = await owner(other).serve(structuredClone(order));
          await hop();
          return structuredClone(answer);
        },
        abandon(other, sid) {
          void hop().then(() => servers[other]?.abandon(sid));
        },
        async take(other, sid) {
          await hop();
          const moved = await owner(other).give(sid);
          await hop();
          return structuredClone(moved);
        },
      },
      refused: ({ code }) => refusals.push(code),
      ...options,
      settings: { ...SETTINGS, ...options.settings },
    });
    servers.push(server);
  }
  function owner(edge: number): EngineServer {
    const server = servers[edge];
    if (!server) throw new GongError("not_found");
    return server;
  }
  const listener = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request, info) => {
    const peer = { address: info.remoteAddr.hostname, completed: () => info.completed };
    const answer = servers[choose(request)]!.handle(request, new URL(request.url), peer);
    requests++;
    return answer;
  });
  return {
    url: `http://127.0.0.1:${listener.addr.port}/engine.io/`,
    host: echo,
    servers,
    refusals,
    get requests() {
      return requests;
    },
    async asked(begin) {
      const before = requests;
      const begun = begin();
      await until(() => requests > before);
      return { begun };
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) server.close();
      await listener.shutdown();
    },
  };
}

/** A message of another isolate takes some turns. */
async function hop(): Promise<void> {
  for (let turns = Math.floor(Math.random() * 3); turns >= 0; turns--) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}
