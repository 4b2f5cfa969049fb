/**
 * A server that speaks just enough of the wire for the client, and fails on demand.
 *
 * @module
 */

/** How a path fails: refused with a status and headers, or never answered. */
export type Fault = "swallow" | {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
};

interface Line {
  channel: string;
  epoch: string;
  offset: number;
  time: number;
  data: unknown;
  messageId?: string;
}

/** One stream or socket. */
interface Listener {
  readonly channels: Set<string>;
  readonly publish: (line: Line) => void;
  readonly end: (code: number, reason: string) => void;
  readonly say?: (line: unknown) => void;
  readonly signal?: (data: unknown, more: object) => void;
}

/** Paths that can fail. */
export type Path = "push" | "sse" | "poll" | "publish" | "presence";

/** A token is a user's, and has a number: those that are `spent` are refused. */
export function tokenOf(user: string, number: number): string {
  return `${user}.${number}`;
}

/** The server. Channels are kept whole unless {@linkcode FakeGong.forget} is called. */
export class FakeGong implements AsyncDisposable {
  epoch = "e";
  readonly faults = new Map<Path, Fault>();
  /** Every request, as `GET /path?query`. */
  readonly requests: string[] = [];
  /** What came as `Authorization`. */
  readonly keys: string[] = [];
  /** Commands that came over WebSockets. */
  readonly commands: Record<string, unknown>[] = [];
  /** Tokens that are refused. */
  readonly spent = new Set<string>();
  /** How long a token lasts, as sessions are told, in milliseconds. */
  lifetime: number | undefined;
  /** Commands that get no answer. */
  silent = new Set<string>();
  /** Takes publications over WebSockets, but does not say so. */
  mute = false;
  /** Refusals of `subscribe`, by channel. */
  readonly refused = new Map<string, { code: string; message: string }>();
  /** What a stream is cut into. */
  cut = (text: string): string[] => [text];
  readonly #channels = new Map<string, { first: number; lines: Line[] }>();
  readonly #listeners = new Set<Listener>();
  readonly #waiting = new Set<() => void>();
  readonly #swallowed = new Set<() => void>();
  #isOver = false;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) => this.#answer(request),
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  /** How many streams and sockets there are. */
  get listeners(): number {
    return this.#listeners.size;
  }

  publish(channel: string, data: unknown, more: Partial<Line> = {}): Line {
    const { lines } = this.#channel(channel);
    const repeated = lines.find(({ messageId }) => messageId !== undefined && messageId === more.messageId);
    if (repeated) return repeated;
    const line = {
      channel,
      epoch: this.epoch,
      offset: this.#top(channel) + 1,
      time: Date.now(),
      data,
      ...more,
    };
    lines.push(line);
    for (const listener of this.#listeners) {
      if (listener.channels.has(channel)) listener.publish(line);
    }
    this.#wake();
    return line;
  }

  /** Keeps nothing of the channel but its numbering. */
  forget(channel: string): void {
    const kept = this.#channel(channel);
    kept.first += kept.lines.length;
    kept.lines = [];
  }

  /** Ends every stream and socket. */
  hangUp(code = 1012, reason = "restarts"): void {
    for (const { end } of this.#listeners) end(code, reason);
    this.#listeners.clear();
    this.#wake();
  }

  /** Says something to every WebSocket. */
  signal(data: unknown, more: object = {}): void {
    for (const { signal } of this.#listeners) signal?.(data, more);
  }

  /** Tells every WebSocket that it does not hear the channel any more. */
  unsubscribe(channel: string): void {
    for (const { channels, say } of this.#listeners) {
      if (channels.delete(channel)) say?.({ type: "unsubscribed", channel });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.hangUp();
    for (const free of this.#swallowed) free();
    await this.#server.shutdown();
  }

  #channel(name: string) {
    let channel = this.#channels.get(name);
    if (!channel) this.#channels.set(name, channel = { first: 0, lines: [] });
    return channel;
  }

  #top(name: string): number {
    const { first, lines } = this.#channel(name);
    return first + lines.length;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Where somebody begins, and what follows. */
  #read(channel: string, since: string | undefined, history: number) {
    const { first, lines } = this.#channel(channel);
    const top = first + lines.length;
    const [epoch, offset] = since?.split(":") ?? [];
    const from = since === undefined ? Math.max(first, top - history) : Number(offset);
    const recovered = since === undefined ||
      epoch === this.epoch && from >= first && from <= top;
    const start = recovered ? from : top;
    return {
      epoch: this.epoch,
      offset: start,
      recovered,
      missed: lines.slice(start - first),
    };
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    const key = request.headers.get("authorization");
    if (key !== null) this.keys.push(key);
    const path = url.pathname.slice(url.pathname.lastIndexOf("/") + 1) as Path;
    const fault = this.faults.get(path);
    if (fault === "swallow") {
      if (path === "push") return Deno.upgradeWebSocket(request).response;
      const body = new ReadableStream({
        start: (controller) => {
          this.#swallowed.add(() => {
            try {
              controller.close();
            } catch {
              // The client was first.
            }
          });
        },
      });
      return new Response(body, {
        headers: { "content-type": "text/event-stream" },
      });
    }
    if (fault) {
      return Response.json(fault.body ?? {}, {
        status: fault.status,
        headers: fault.headers ?? {},
      });
    }
    const token = url.searchParams.get("token") ?? key?.replace("Bearer ", "");
    const user = token?.includes(".") ? token.split(".")[0] : undefined;
    if (path === "push") return this.#socket(request, user, token);
    if (token !== undefined && this.spent.has(token)) {
      return Response.json({ code: "unauthorized", detail: "not valid" }, { status: 401 });
    }
    if (user) url.searchParams.append("channel", `$user/${user}`);
    if (path === "presence") {
      return Response.json({ channel: url.searchParams.get("channel"), count: 1, users: 1, present: [] });
    }
    if (path === "sse") return this.#stream(url.searchParams);
    if (path === "poll") return await this.#poll(url.searchParams);
    if (path === "publish") {
      const { channel, data, id, users } = await request.json();
      if (users) {
        for (const user of users) this.publish(`$user/${user}`, data);
        return Response.json({ positions: [], reached: users.length });
      }
      const { epoch, offset } = this.publish(channel, data, { messageId: id });
      return Response.json({ positions: [{ channel, epoch, offset }], id });
    }
    return new Response("nothing here", { status: 404 });
  }

  #socket(request: Request, user: string | undefined, token: string | undefined): Response {
    const { socket, response } = Deno.upgradeWebSocket(request);
    const { searchParams } = new URL(request.url);
    const until = () => user && this.lifetime === undefined ? undefined : Date.now() + this.lifetime!;
    const say = (line: unknown) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(line));
    const listener = {
      channels: new Set<string>(),
      publish: say,
      say,
      end: (code: number, reason: string) => socket.close(code, reason),
      signal: (data: unknown, more: object) => say({ type: "signal", data, ...more }),
    };
    socket.onopen = () => {
      if (token !== undefined && this.spent.has(token)) return socket.close(4401, "The token is not valid.");
      this.#listeners.add(listener);
      say({ type: "welcome", session: "s1", user, until: user && until(), version: "0" });
      if (user) hear(`$user/${user}`, sinceOf(searchParams, `$user/${user}`));
    };
    const hear = (channel: string, since: string | undefined, history = 0, id?: unknown) => {
      const { missed, ...told } = this.#read(channel, since, history);
      listener.channels.add(channel);
      if (id !== undefined) say({ id, ok: told });
      say({ type: "subscribed", channel, ...told });
      if (missed.length > 0) socket.send(missed.map((line) => JSON.stringify(line)).join("\n"));
    };
    socket.onclose = () => this.#listeners.delete(listener);
    socket.onmessage = ({ data }) => {
      const command = JSON.parse(data);
      this.commands.push(command);
      const { id, publish, subscribe, unsubscribe } = command;
      if ([...this.silent].some((name) => name in command)) return;
      if (publish) {
        const { channel, data, id: messageId } = publish;
        const { epoch, offset } = this.publish(channel, data, { messageId });
        if (!this.mute) say({ id, ok: { epoch, offset } });
      } else if (subscribe) {
        const { channel, since, history = 0 } = subscribe;
        const error = this.refused.get(channel);
        if (error) return say({ id, error });
        hear(channel, since, history, id);
      } else if (command.authenticate) {
        const { token } = command.authenticate;
        if (this.spent.has(token)) say({ id, error: { code: "unauthorized", message: "not valid" } });
        else say({ id, ok: { user, until: until() } });
      } else if (command.send) {
        for (const user of command.send.users ?? []) this.publish(`$user/${user}`, command.send.data);
        say({ id, ok: { reached: 1 } });
      } else if (command.ask) {
        say({ id, ok: { reached: 2, data: { to: command.ask.data }, from: "s9", user: "9" } });
      } else if (unsubscribe) {
        listener.channels.delete(unsubscribe.channel);
        say({ id, ok: {} });
      } else say({ id, ok: { time: Date.now() } });
    };
    return response;
  }

  #stream(query: URLSearchParams): Response {
    const encoder = new TextEncoder();
    let controller: ReadableStreamDefaultController<Uint8Array>;
    const positions = new Map<string, string>();
    const write = (text: string) => this.cut(text).forEach((part) => controller.enqueue(encoder.encode(part)));
    const cursor = () =>
      [...positions].map(([channel, position]) => `${channel}@${position}`)
        .join(",");
    const publish = (line: Line) => {
      positions.set(line.channel, `${line.epoch}:${line.offset}`);
      write(`id: ${cursor()}\ndata: ${JSON.stringify(line)}\n\n`);
    };
    const channels = new Set(query.getAll("channel"));
    const end = () => controller.close();
    const listener = { channels, publish, end };
    const body = new ReadableStream<Uint8Array>({
      start: (created) => {
        controller = created;
        write("retry: 1000\n\n");
        write(
          `event: $welcome\ndata: ${JSON.stringify({ type: "welcome", session: "s2", version: "0" })}\n\n`,
        );
        const missed = [...channels].flatMap((channel) => {
          const { missed, ...told } = this.#read(
            channel,
            sinceOf(query, channel),
            Number(query.get("history")),
          );
          positions.set(channel, `${told.epoch}:${told.offset}`);
          write(
            `event: $subscribed\ndata: ${JSON.stringify({ type: "subscribed", channel, ...told })}\n\n`,
          );
          return missed;
        });
        write(`id: ${cursor()}\n\n`);
        missed.forEach(publish);
        this.#listeners.add(listener);
      },
      cancel: () => void this.#listeners.delete(listener),
    });
    return new Response(body, {
      headers: { "content-type": "text/event-stream" },
    });
  }

  async #poll(query: URLSearchParams): Promise<Response> {
    const channels = query.getAll("channel");
    const until = performance.now() + Number(query.get("timeout")) * 1000;
    const cursor = new Map(
      channels.map((channel) => [channel, sinceOf(query, channel)]),
    );
    for (;;) {
      const reads = channels.map((channel) => {
        return {
          channel,
          ...this.#read(
            channel,
            cursor.get(channel),
            Number(query.get("history")),
          ),
        };
      });
      const publications = reads.flatMap(({ missed }) => missed);
      const lost = reads.filter(({ recovered }) => !recovered).map((
        { channel },
      ) => channel);
      const left = until - performance.now();
      if (
        publications.length > 0 || lost.length > 0 || left <= 0 || this.#isOver
      ) {
        const next = reads.map(({ channel, epoch, offset, missed }) => `${channel}@${epoch}:${offset + missed.length}`);
        const answer = {
          publications,
          cursor: next.join(),
          recovered: lost.length === 0,
        };
        return Response.json(lost.length > 0 ? { ...answer, lost } : answer);
      }
      for (const { channel, epoch, offset } of reads) {
        cursor.set(channel, `${epoch}:${offset}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.add(() => (clearTimeout(timer), resolve()));
      });
    }
  }
}

function sinceOf(query: URLSearchParams, channel: string): string | undefined {
  const part = query.get("since")?.split(",").find((part) => part.startsWith(`${channel}@`));
  return part?.slice(channel.length + 1);
}
