/**
 * Gong's client. Its API is in `gong.d.ts`.
 *
 * A connection begins at the position of the last publication heard, and what it repeats is dropped: so no drop or hop to
 * another transport loses or doubles anything. Publications have ids, by which the server knows one that comes twice.
 */

/** @import { GongOptions, Message, Phase, Position, Published, PublishOptions, SubscribeOptions } from "./gong.d.ts" */

/** In milliseconds. A connection that lasts longer than `SETTLED` begins the waits anew. */
const FIRST_WAIT = 1_000,
  LONGEST_WAIT = 30_000,
  LONGEST_PROBE = 600_000,
  SETTLED = 5_000;
const MAX_CHANNELS = 32, MAX_UNANSWERED = 1_000, MAX_ATTEMPTS = 10;

export class GongError extends Error {
  /** @param {string} code @param {string} message @param {{ status?: number, retryAfter?: number, cause?: unknown }} details */
  constructor(code, message, { status = 0, retryAfter = 0, cause } = {}) {
    super(message, { cause });
    this.name = "GongError";
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
  }

  get retry() {
    const status = this.status % 4000;
    if (status) {
      return status < 400 || status >= 500 || status === 408 || status === 429;
    }
    return !/^(bad_request|unauthorized|forbidden|not_found|conflict|too_large|too_many|closed)$/
      .test(this.code);
  }
}

export class Gong extends EventTarget {
  /** @type {Phase} */
  phase = "idle";
  /** @type {string | undefined} */
  session;
  #options;
  #transports;
  #index = 0;
  /** @type {Map<string, Subscription>} */
  #subscriptions = new Map();
  #changing;
  /** @type {Link | undefined} */
  #link;
  #probeTimer;
  #probes = 0;
  #timer;
  #attempt = 0;
  #notBefore = 0;
  #posts = 0;
  #lastPost = Promise.resolve();
  #name = createId();
  #closing = new AbortController();

  /** @param {GongOptions} options */
  constructor(options = {}) {
    super();
    const { fetch, WebSocket } = globalThis;
    this.#options = {
      url: ".",
      echo: true,
      timeout: 10_000,
      fetch,
      WebSocket,
      ...options,
    };
    this.#options.url = new URL(this.#options.url, import.meta.url).href;
    const { transports = ["websocket", "sse", "polling"], signal } = options;
    this.#transports = transports.filter((name) =>
      name !== "websocket" || this.#options.WebSocket
    );
    const wake = () =>
      this.phase === "waiting" && performance.now() >= this.#notBefore &&
      this.#start(this.#index);
    // A page in the back-forward cache must not hold a connection, and comes back without one.
    const rest = () => this.#link && this.#stop("waiting");
    for (
      const [type, listener] of Object.entries({
        online: wake,
        visibilitychange: wake,
        pageshow: wake,
        pagehide: rest,
      })
    ) {
      globalThis.addEventListener?.(type, listener, {
        signal: this.#closing.signal,
      });
    }
    signal?.addEventListener("abort", () => this.close());
    if (signal?.aborted) this.close();
  }

  get transport() {
    return this.#transports[this.#index];
  }

  /** @param {string} channel @param {(message: Message) => void} handler @param {SubscribeOptions} options */
  subscribe(channel, handler, { since, history, signal } = {}) {
    this.#closing.signal.throwIfAborted();
    signal?.throwIfAborted();
    let subscription = this.#subscriptions.get(channel);
    if (!subscription) {
      if (this.transport !== "websocket") {
        checkCount(this.#subscriptions.size + 1);
      }
      subscription = new Subscription(channel, since, history);
      this.#subscriptions.set(channel, subscription);
      this.#ask(subscription);
      this.#change();
    }
    const { handlers } = subscription, entry = [handler];
    handlers.add(entry);
    const unsubscribe = () => {
      if (handlers.delete(entry) && handlers.size === 0) this.#forget(channel);
    };
    signal?.addEventListener("abort", unsubscribe);
    return unsubscribe;
  }

  /** @param {string} channel @param {unknown} data @param {PublishOptions} options @returns {Promise<Published>} */
  async publish(
    channel,
    data,
    { id = this.#name + createId(), signal, ...details } = {},
  ) {
    const time = AbortSignal.timeout(this.#options.timeout * 3);
    const end = AbortSignal.any([
      this.#closing.signal,
      time,
      ...(signal ? [signal] : []),
    ]);
    end.throwIfAborted();
    const content = data instanceof Uint8Array
      ? { data: toBase64(data), encoding: "base64" }
      : { data };
    const sent = this.#send(
      JSON.stringify({ channel, id, ...details, ...content }),
      end,
    );
    const ended = new Promise((_, reject) =>
      end.addEventListener("abort", () => reject(end.reason))
    );
    const { epoch, offset } = await Promise.race([sent, ended]);
    return { channel, id, epoch, offset };
  }

  connect() {
    this.#closing.signal.throwIfAborted();
    this.#attempt = 0;
    this.#start(0);
  }

  close() {
    if (this.phase === "closed") return;
    this.#closing.abort(new GongError("closed", "The client was closed."));
    for (const { handlers } of this.#subscriptions.values()) handlers.clear();
    this.#subscriptions.clear();
    clearTimeout(this.#probeTimer);
    this.#stop("closed");
  }

  // How connections begin and end.

  /** A request cannot be given other channels: it is made anew, once for all changes of this turn. */
  #change() {
    this.#changing ??= Promise.resolve().then(() => {
      this.#changing = undefined;
      if (this.phase === "waiting" || this.phase === "closed") return;
      if (!this.#link?.command || this.#subscriptions.size === 0) {
        this.#start(this.#index);
      }
    });
  }

  #start(index) {
    this.#index = index;
    this.#stop(this.#subscriptions.size > 0 ? "connecting" : "idle");
    if (this.phase === "idle") return;
    const link = this.#link = new Link(() => this.#opened());
    this.#serve(link, index).then((error) =>
      this.#link === link && this.#ended(link, error)
    );
  }

  #opened() {
    this.#enter("open");
    for (const subscription of this.#subscriptions.values()) {
      this.#ask(subscription);
    }
    if (this.#index > 0) return this.#planProbe();
    clearTimeout(this.#probeTimer);
    this.#probeTimer = undefined;
  }

  #ended({ openedAt }, error) {
    const { retry, status, retryAfter } = error;
    if (openedAt && performance.now() - openedAt > SETTLED) {
      this.#attempt = 0;
      if (this.#index === 0) this.#probes = 0;
    }
    const next = (this.#index + 1) % this.#transports.length;
    // Another transport may be there, take the method, or need no history.
    const isElsewhere = !openedAt &&
      (next ? [404, 405, 409].includes(status) : status === 409);
    if (!retry && !isElsewhere) {
      this.#stop("closed", { error });
      return this.#emit("error", { error });
    }
    // These are the server's own words: the transport works.
    const isReached = openedAt || retryAfter || status > 1006;
    if (next && !isReached) return this.#start(next);
    if (!isReached) this.#index = next;
    const delay = backoff(this.#attempt++, retryAfter);
    this.#stop("waiting", { error, delay });
    this.#notBefore = performance.now() + retryAfter * 1_000;
    this.#timer = setTimeout(() => this.#start(this.#index), delay);
  }

  #stop(phase, details) {
    clearTimeout(this.#timer);
    const link = this.#link;
    this.#link = this.session = undefined;
    link?.abort(asGongError());
    this.#enter(phase, details);
  }

  /** What works is given up only when a better transport has been seen to get through. */
  #planProbe() {
    const longest = Math.min(
      LONGEST_PROBE,
      this.#options.timeout * 2 ** this.#probes,
    );
    this.#probeTimer ??= setTimeout(async () => {
      this.#probeTimer = undefined;
      this.#probes++;
      const link = this.#link;
      for (let index = 0; link?.openedAt && index < this.#index; index++) {
        const isThrough = await new Promise((resolve) => {
          const probe = new Link(() => resolve(true));
          link.signal.addEventListener("abort", () => probe.abort());
          this.#serve(probe, index).then(() => resolve(false));
        });
        if (this.#link !== link) return;
        if (isThrough) return this.#start(index);
      }
      this.#planProbe();
    }, longest * (1 + Math.random()));
  }

  // The transports.

  /** Until the link ends; then why. */
  async #serve(link, index) {
    const { timeout } = this.#options;
    const watch = setInterval(() => {
      const silence = performance.now() - link.spokeAt;
      if (silence > (link.openedAt ? timeout * 6 : timeout)) {
        link.abort(new GongError("timeout", "No answer came in time."));
      } else if (silence > timeout * 3) link.command("ping", "{}");
    }, timeout / 4);
    const transport = this.#transports[index];
    try {
      if (transport === "websocket") await this.#serveSocket(link);
      else if (transport === "sse") await this.#serveStream(link);
      else await this.#servePolls(link);
    } catch (error) {
      link.abort(asGongError(error));
    }
    clearInterval(watch);
    link.abort(asGongError());
    return link.signal.reason;
  }

  #serveSocket(link) {
    const { WebSocket, headers } = this.#options;
    const url = this.#locate("push", [["format", "json"]]).href.replace(
      "http",
      "ws",
    );
    // In browsers headers make it throw: other transports take them.
    const socket = headers
      ? new WebSocket(url, { headers })
      : new WebSocket(url);
    let id = 0;
    link.command = (name, body, answered) => {
      if (!link.openedAt) return;
      link.answered.set(++id, answered);
      socket.send(`{"id":${id},"${name}":${body}}`);
    };
    return new Promise((resolve, reject) => {
      link.signal.addEventListener("abort", () => {
        resolve(socket.close());
        for (const answered of link.answered.values()) {
          answered?.(undefined, asGongError());
        }
      });
      socket.onerror = () => {};
      socket.onclose = ({ code, reason }) =>
        reject(
          new GongError("closed", reason || "It was closed.", {
            status: code || 1006,
          }),
        );
      socket.onmessage = ({ data }) => {
        for (const line of data.split("\n")) {
          this.#receive(link, JSON.parse(line));
        }
      };
    });
  }

  async #serveStream(link) {
    const { body } = await this.#get(link, "sse", [["format", "json"]]);
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = "";;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.#spoke(link);
      const events = (rest + value).split(/\r?\n\r?\n/);
      rest = events.pop() ?? "";
      for (const event of events) {
        const { data, id } = Object.fromEntries(
          event.split(/\r?\n/).map((line) => line.split(/: ?(.*)/)),
        );
        if (data) this.#receive(link, JSON.parse(data));
        if (id) this.#advance(link, id);
      }
    }
  }

  async #servePolls(link) {
    for (;;) {
      // The first is answered at once: the way is open, and this is where the channels stand.
      const timeout = link.openedAt &&
        Math.min(25, this.#options.timeout / 500);
      const { publications, cursor, lost } =
        await (await this.#get(link, "poll", [["timeout", timeout]])).json();
      for (const line of publications) this.#receive(link, line);
      this.#advance(link, cursor, lost);
    }
  }

  #get(link, path, parameters) {
    const all = [...this.#subscriptions.values()];
    checkCount(all.length);
    const history = all.find(({ position }) => !position)?.history;
    // A request has one `history`: those that want another follow as soon as these have begun.
    const named = all.filter((each) =>
      each.position || each.history === history
    );
    link.heard = new Map(named.map((each) => [each.channel, each]));
    const since = named.filter(({ position }) => position).map((
      { channel, since },
    ) => `${channel}@${since}`).join();
    const channels = named.map(({ channel }) => ["channel", channel]);
    const url = this.#locate(path, [...parameters, ["history", history], [
      "since",
      since,
    ], ...channels]);
    return this.#fetch(url, { cache: "no-store", signal: link.signal });
  }

  #locate(path, parameters) {
    const given = [...parameters, ["echo", this.#options.echo ? "" : false]]
      .filter(([, value]) => `${value ?? ""}`);
    return new URL(`${path}?${new URLSearchParams(given)}`, this.#options.url);
  }

  /** @returns {Promise<any>} */
  async #fetch(url, init) {
    const { fetch, headers } = this.#options;
    const response = await fetch(url, {
      ...init,
      headers: { ...headers, ...init.headers },
    });
    if (response.ok) return response;
    const { status } = response;
    const { code = "refused", detail = `The server answered ${status}.` } =
      await response.json().catch(() => ({}));
    throw new GongError(code, detail, {
      status,
      retryAfter: Number(response.headers.get("retry-after")) || 0,
    });
  }

  // What comes.

  #spoke(link) {
    link.spokeAt = performance.now();
    if (!link.openedAt) {
      link.openedAt = link.spokeAt;
      link.opened();
    }
    return this.#link === link;
  }

  #receive(link, line) {
    if (!this.#spoke(link)) return;
    const { type, id } = line;
    const subscription = link.heard.get(line.channel);
    if (id) {
      link.answered.get(id)?.(line.ok, line.error && asGongError(line.error));
      link.answered.delete(id);
    } else if (type === "welcome") this.session = line.session;
    else if (type === "signal") this.#emit("signal", readContent(line));
    else if (type === "close") link.abort(asGongError(line));
    else if (type === "subscribed") this.#tell(subscription, line);
    else if (
      !type && subscription?.moveTo(line) &&
      (this.#options.echo || !line.messageId?.startsWith(this.#name))
    ) {
      const message = { ...line, ...readContent(line) };
      // Each for itself: what one throws is reported, and the others hear all the same.
      for (const entry of subscription.handlers) {
        queueMicrotask(() =>
          subscription.handlers.has(entry) && entry[0](message)
        );
      }
    }
  }

  /** Past what is not delivered too: one's own, say. */
  #advance(link, cursor, lost = []) {
    if (!this.#spoke(link)) return;
    for (
      const [, channel, epoch, offset] of cursor.matchAll(
        /([^,@]+)@([^,:]+):(\d+)/g,
      )
    ) {
      const subscription = link.heard.get(channel);
      const told = {
        epoch,
        offset: Number(offset),
        recovered: !lost.includes(channel),
      };
      if (told.recovered && subscription?.position) subscription.moveTo(told);
      else this.#tell(subscription, told);
    }
  }

  #tell(subscription, { epoch, offset, recovered }) {
    if (!subscription) return;
    if (!recovered) subscription.position = undefined;
    subscription.moveTo({ epoch, offset });
    this.#emit("subscribed", {
      channel: subscription.channel,
      epoch,
      offset,
      recovered,
    });
    if (this.#link && this.#link.heard.size < this.#subscriptions.size) {
      this.#change();
    }
  }

  #enter(phase, details) {
    this.phase = phase;
    this.#emit("state", { phase, transport: this.transport, ...details });
  }

  #emit(type, details) {
    this.dispatchEvent(Object.assign(new Event(type), details));
  }

  // What goes.

  #ask(subscription) {
    const link = this.#link;
    const { channel, since, history } = subscription;
    link?.command?.(
      "subscribe",
      JSON.stringify(since ? { channel, since } : { channel, history }),
      (ok, error) => {
        if (
          this.#link !== link ||
          this.#subscriptions.get(channel) !== subscription
        ) return;
        if (ok) return link.heard.set(channel, subscription);
        if (error.retry) return link.abort(error);
        this.#forget(channel);
        this.#emit("error", { error, channel });
      },
    );
  }

  #forget(channel) {
    this.#subscriptions.delete(channel);
    this.#link?.heard.delete(channel);
    this.#link?.command?.("unsubscribe", JSON.stringify({ channel }));
    this.#change();
  }

  async #send(body, end) {
    const link = this.#link;
    if (Math.max(this.#posts, link?.answered.size ?? 0) >= MAX_UNANSWERED) {
      throw new GongError(
        "overloaded",
        "Too many publications are unanswered.",
      );
    }
    // Nothing overtakes what waits to go by HTTP; what is long goes there, where the limit counts the data alone.
    if (link?.openedAt && link.command && !this.#posts && body.length < 8_000) {
      try {
        return await new Promise((resolve, reject) => {
          link.command(
            "publish",
            body,
            (ok, error) => ok ? resolve(ok) : reject(error),
          );
        });
      } catch (error) {
        if (!error.retry) throw error;
      }
    }
    this.#posts++;
    const post = this.#lastPost.then(() => this.#post(body, end)).finally(() =>
      this.#posts--
    );
    this.#lastPost = post.catch(() => {});
    return post;
  }

  async #post(body, end) {
    for (let attempt = 0;; attempt++) {
      try {
        const signal = AbortSignal.any([
          end,
          AbortSignal.timeout(this.#options.timeout),
        ]);
        const headers = { "content-type": "application/json" };
        const response = await this.#fetch(
          new URL("api/publish", this.#options.url),
          {
            method: "POST",
            headers,
            body,
            signal,
          },
        );
        return (await response.json()).positions[0];
      } catch (caught) {
        const error = asGongError(caught);
        if (end.aborted || !error.retry || attempt === MAX_ATTEMPTS) {
          throw error;
        }
        await new Promise((resolve) => {
          const timer = setTimeout(resolve, backoff(attempt, error.retryAfter));
          end.addEventListener("abort", () => resolve(clearTimeout(timer)));
        });
      }
    }
  }
}

/** A connection, or the requests that take its place; aborted, it ends. */
class Link extends AbortController {
  /** When its first words came, and its last. */
  openedAt = 0;
  spokeAt = performance.now();
  /** What it may bring. @type {Map<string, Subscription>} */
  heard = new Map();
  command;
  answered = new Map();

  constructor(opened) {
    super();
    this.opened = opened;
  }
}

class Subscription {
  handlers = new Set();
  /** @type {Position | undefined} */
  position;

  constructor(channel, since = "", history) {
    this.channel = channel;
    this.history = history;
    const [, epoch, offset] = /^(.+):(\d+)$/.exec(since) ?? [];
    if (epoch) this.position = { epoch, offset: Number(offset) };
  }

  get since() {
    return this.position && `${this.position.epoch}:${this.position.offset}`;
  }

  /** False when that has been heard already. */
  moveTo({ epoch, offset }) {
    const at = this.position;
    if (at && at.epoch === epoch && at.offset >= offset) return false;
    this.position = { epoch, offset };
    return true;
  }
}

function backoff(attempt, retryAfter) {
  return retryAfter * 1_000 +
    Math.random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempt);
}

function checkCount(count) {
  if (count > MAX_CHANNELS) {
    throw new RangeError(
      `at most ${MAX_CHANNELS} channels can be heard without a WebSocket`,
    );
  }
}

function createId() {
  return toBase64(crypto.getRandomValues(new Uint8Array(18)));
}

function toBase64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function readContent(
  {
    data,
    encoding,
    contentType = typeof data === "string" ? "text/plain" : "application/json",
  },
) {
  return {
    data: encoding
      ? Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0))
      : data,
    contentType,
  };
}

function asGongError(error) {
  if (error instanceof GongError) return error;
  if (error && !(error instanceof Error)) {
    return new GongError(error.code, error.message, error);
  }
  return new GongError(
    "network",
    error?.message ?? "The connection was lost.",
    { cause: error },
  );
}
