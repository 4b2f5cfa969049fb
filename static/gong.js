/**
 * Gong's client, as `gong.d.ts` describes it. Each connection begins behind the last publication heard, and what is heard
 * again is dropped: so nothing is lost or doubled.
 */

/** @import { GongOptions, Message, Phase, PublishOptions, SubscribeOptions, Target } from "./gong.d.ts" */

const MAX_CHANNELS = 32;
/** What stands for the channel of the client's own user, whose name only the server knows. */
const INBOX = "$user";
/** Refusals that do not pass, by status or, without one, by code. */
const FINAL = /^(44?(?!08|29)\d\d|bad_request|unauthorized|forbidden|not_found|conflict|too_large|too_many|closed)$/;

const JSON_TYPE = { "content-type": "application/json" };

export class GongError extends Error {
  constructor(code, message, { status = 0, retryAfter = 0 } = {}) {
    super(message);
    this.name = "GongError";
    this.code = code;
    this.status = status;
    this.retryAfter = Math.min(retryAfter, 86_400);
  }

  get retry() {
    return !FINAL.test(`${this.status || this.code}`);
  }
}

export class Gong extends EventTarget {
  /** @type {Phase} */
  phase = "idle";
  /** @type {string | undefined} */
  session;
  /** @type {string | undefined} */
  user;
  #options;
  #transports;
  #index = 0;
  /** @type {Map<string, Subscription>} */
  #subscriptions = new Map();
  #changing;
  /** @type {Link | undefined} */
  #link;
  #timer;
  #attempt = 0;
  #notBefore = 0;
  #probes = 0;
  #probeAt = 0;
  #posts = 0;
  #lastPost = Promise.resolve();
  #name = createId();
  /** What the callback gave, as long as the server takes it. */
  #token;
  #closing = new AbortController();

  /** @param {GongOptions} options */
  constructor(options = {}) {
    super();
    const { fetch, WebSocket } = globalThis;
    this.#options = { url: ".", echo: true, timeout: 10_000, fetch, WebSocket, ...options };
    this.#options.url = new URL(this.#options.url, import.meta.url).href;
    if (!/^http/.test(this.#options.url)) throw new TypeError("`url` has to be that of the server");
    const { transports = ["websocket", "sse", "polling"], signal } = options;
    this.#transports = transports.filter((name) => name !== "websocket" || this.#options.WebSocket);
    const wake = () => this.phase === "waiting" && performance.now() >= this.#notBefore && this.#start(this.#index);
    for (const type of ["online", "visibilitychange", "pageshow"]) {
      globalThis.addEventListener?.(type, wake, this.#closing);
    }
    // A page in the back-forward cache must not hold a connection.
    globalThis.addEventListener?.("pagehide", () => this.#link && this.#stop("waiting"), this.#closing);
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
      if (this.transport !== "websocket") checkCount(this.#subscriptions.size + 1);
      subscription = new Subscription(channel, since, history);
      this.#subscriptions.set(channel, subscription);
      // The inbox is heard without being asked for, but only from a place that is told at the beginning.
      if (channel === INBOX && this.#link?.openedAt) this.#start(this.#index);
      else this.#ask(subscription);
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

  /** @param {string} channel @param {unknown} data @param {PublishOptions} options */
  async publish(channel, data, { id = this.#name + createId(), signal = this.#closing.signal, ...details } = {}) {
    const end = limit(this.#options.timeout * 3, this.#closing.signal, signal);
    try {
      const sent = this.#send(JSON.stringify({ channel, id, ...details, ...writeContent(data) }), end.signal);
      const { epoch, offset } = await Promise.race([sent, rejection(end)]);
      return { channel, id, epoch, offset };
    } finally {
      end.abort();
    }
  }

  /** @param {Target} target @param {unknown} data */
  async send(target, data, { contentType = undefined } = {}) {
    const message = { ...target, contentType, ...writeContent(data) };
    if (this.#link?.openedAt && this.#link.command) return await this.#command("send", message);
    const end = limit(this.#options.timeout, this.#closing.signal);
    const init = { method: "POST", headers: JSON_TYPE, body: JSON.stringify(message), signal: end.signal };
    try {
      return await (await this.#fetch(new URL("api/publish", this.#options.url), init)).json();
    } finally {
      end.abort();
    }
  }

  /** @param {Target} target @param {unknown} data */
  async ask(target, data, { contentType = undefined, timeout = 10_000 } = {}) {
    const question = { ...target, contentType, timeout: timeout / 1_000, ...writeContent(data) };
    const { reached, from, user, ...answer } = await this.#command("ask", question, timeout);
    return { reached, from, user, ...readContent(answer) };
  }

  /** @param {string} channel */
  async presence(channel, { limit: most = undefined, after = undefined, signal = this.#closing.signal } = {}) {
    const end = limit(this.#options.timeout, this.#closing.signal, signal);
    const url = new URL("api/presence", this.#options.url);
    for (const [name, value] of Object.entries({ channel, limit: most, after })) {
      if (value !== undefined) url.searchParams.set(name, `${value}`);
    }
    try {
      return await (await this.#fetch(url, { cache: "no-store", signal: end.signal })).json();
    } finally {
      end.abort();
    }
  }

  /** @param {string} channel @param {SubscribeOptions} options */
  watch(channel, handler, options) {
    return this.subscribe(`$presence/${channel}`, ({ data }) => handler(data), options);
  }

  connect() {
    this.#closing.signal.throwIfAborted();
    this.#attempt = 0;
    this.#start(0);
  }

  close() {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new GongError("closed", "The client was closed."));
    for (const { handlers } of this.#subscriptions.values()) handlers.clear();
    this.#subscriptions.clear();
    this.#stop("closed");
  }

  /** A request cannot be given other channels: it is made anew, once for all changes of this turn. */
  #change() {
    this.#changing ??= Promise.resolve().then(() => {
      this.#changing = undefined;
      if (this.phase === "waiting" || this.phase === "closed") return;
      if (!this.#link?.command || this.#subscriptions.size === 0) this.#start(this.#index);
    });
  }

  #start(index) {
    this.#index = index;
    this.#stop(this.#subscriptions.size > 0 ? "connecting" : "idle");
    if (this.phase === "idle") return;
    const link = this.#link = new Link(() => this.#opened(link));
    this.#serve(link, index).then((error) => this.#link === link && this.#ended(link, error));
  }

  #opened(link) {
    this.#enter("open");
    for (const subscription of this.#subscriptions.values()) this.#ask(subscription);
    if (this.#index > 0) this.#planProbe(link);
    else this.#probeAt = 0;
  }

  #ended({ openedAt, isNewcomer }, error) {
    const { status, retryAfter } = error;
    // A token that has been good ends at some time; one that is refused at once would be again.
    const isStale = this.#isStale(error) && (openedAt || !isNewcomer);
    const retry = error.retry || isStale;
    if (openedAt && performance.now() - openedAt > 5_000) {
      this.#attempt = 0;
      if (this.#index === 0) this.#probes = 0;
    }
    const next = (this.#index + 1) % this.#transports.length;
    // Another transport may be there, take the method, or need no history.
    const isElsewhere = !openedAt && (next ? [404, 405, 409].includes(status) : status === 409);
    if (!retry && !isElsewhere) {
      this.#stop("closed", { error });
      return this.#emit("error", { error });
    }
    const isReached = openedAt || retryAfter || status > 1006 || isStale || error.code === "token";
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
    this.#link = this.session = this.user = undefined;
    link?.abort(asGongError());
    this.#enter(phase, details);
  }

  /** What works is given up only when a better transport has been seen to get through. */
  #planProbe(link) {
    const shortest = this.#options.timeout * 2 ** Math.min(6, this.#probes);
    this.#probeAt ||= performance.now() + shortest * (1 + Math.random());
    this.#timer = setTimeout(async () => {
      this.#probeAt = 0;
      this.#probes++;
      for (let index = 0; index < this.#index; index++) {
        const isThrough = await new Promise((resolve) => {
          const probe = new Link(() => resolve(true));
          link.signal.addEventListener("abort", () => probe.abort());
          this.#serve(probe, index).then(() => resolve(false));
        });
        if (this.#link !== link) return;
        if (isThrough) return this.#start(index);
      }
      this.#planProbe(link);
    }, Math.max(0, this.#probeAt - performance.now()));
  }

  async #serve(link, index) {
    const { timeout } = this.#options;
    const watch = setInterval(() => {
      const silence = performance.now() - link.spokeAt;
      // Hidden pages look but once a minute, so a WebSocket is asked first.
      const isAsked = !link.openedAt || !link.command || link.answered.size > 0;
      if (isAsked && silence > timeout * (link.openedAt ? 6 : 1)) {
        link.abort(new GongError("timeout", "No answer came in time."));
      } else if (silence > timeout * 3) link.command?.("ping", "{}");
    }, timeout / 4);
    const transport = this.#transports[index];
    link.isNewcomer = !this.#token;
    try {
      const serve = { websocket: this.#serveSocket, sse: this.#serveStream, polling: this.#servePolls }[transport];
      await Promise.race([serve.call(this, link), rejection(link)]);
    } catch (error) {
      link.abort(asGongError(error));
    }
    clearInterval(watch);
    link.abort(asGongError());
    return link.signal.reason;
  }

  /** Forgets the token if that is what is refused and there can be another one. */
  #isStale({ status, code }) {
    const isStale = typeof this.#options.token === "function" &&
      (code === "unauthorized" || status === 401 || status === 4401);
    if (isStale) this.#token = undefined;
    return isStale;
  }

  async #authorize() {
    const { token } = this.#options;
    if (typeof token !== "function") return token;
    const asked = this.#token ??= Promise.resolve().then(token);
    try {
      return await asked;
    } catch (error) {
      if (this.#token === asked) this.#token = undefined;
      throw new GongError("token", `No token could be had: ${error?.message}`);
    }
  }

  /** Brings another token before the time of this one is over. */
  #planToken(link, until) {
    if (!until || !link.command || typeof this.#options.token !== "function") return;
    const timer = setTimeout(async () => {
      this.#token = undefined;
      // Without one, the server ends the connection, and the next begins with asking again.
      const token = await this.#authorize().catch(() => {});
      const body = JSON.stringify({ token });
      if (token) link.command("authenticate", body, (ok) => ok && this.#planToken(link, ok.until));
    }, Math.min(2 ** 31 - 1, Math.max(1_000, (until - Date.now()) * 0.9)));
    link.signal.addEventListener("abort", () => clearTimeout(timer));
  }

  async #serveSocket(link) {
    const { WebSocket, headers } = this.#options;
    const token = await this.#authorize();
    link.signal.throwIfAborted();
    const { channel, since } = this.#subscriptions.get(INBOX) ?? {};
    const parameters = Object.entries({ token, since: since && `${channel}@${since}` }).filter(([, value]) => value);
    const url = this.#locate("push?format=json", parameters).href.replace("http", "ws");
    const socket = new WebSocket(url, headers && { headers });
    let id = 0;
    link.command = (name, body, answered) => {
      if (!link.openedAt) return;
      link.answered.set(++id, answered);
      if (socket.readyState === 1) socket.send(`{"id":${id},"${name}":${body}}`);
    };
    return new Promise((_, reject) => {
      link.signal.addEventListener("abort", () => {
        socket.close();
        for (const answered of link.answered.values()) answered?.(undefined, asGongError());
      });
      socket.onerror = () => {};
      socket.onclose = ({ code, reason }) => {
        reject(new GongError("closed", reason || "The connection was lost.", { status: code || 1006 }));
      };
      socket.onmessage = ({ data }) => {
        try {
          for (const line of data.split("\n")) this.#receive(link, JSON.parse(line));
        } catch (error) {
          reject(error);
        }
      };
    });
  }

  async #serveStream(link) {
    const { body } = await this.#get(link, "sse?format=json");
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    link.signal.addEventListener("abort", () => reader.cancel().catch(() => {}));
    for (let rest = "";;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.#spoke(link);
      const events = (rest + value).split(/\r?\n\r?\n/);
      rest = events.pop() ?? "";
      for (const event of events) {
        const { data, id } = Object.fromEntries(event.split(/\r?\n/).map((line) => line.split(/: ?(.*)/)));
        if (data) this.#receive(link, JSON.parse(data));
        if (id) this.#advance(link, id);
      }
    }
  }

  async #servePolls(link) {
    for (;;) {
      // The first is answered at once, with where the channels stand.
      const timeout = link.openedAt && Math.min(25, this.#options.timeout / 500);
      const response = await this.#get(link, `poll?timeout=${timeout}`);
      const { publications, signals = [], cursor, lost } = await response.json();
      for (const line of [...publications, ...signals]) this.#receive(link, line);
      this.#advance(link, cursor, lost, !timeout);
    }
  }

  #get(link, path) {
    const all = [...this.#subscriptions.values()];
    checkCount(all.length);
    const history = all.find(({ since }) => !since)?.history;
    // A request has one `history`: those with another follow.
    const named = all.filter((each) => each.since || each.history === history);
    link.heard = new Map(named.map((each) => [each.key, each]));
    const since = named.filter(({ since }) => since).map(({ channel, since }) => `${channel}@${since}`).join();
    const starts = [["since", since], ["history", history]].filter(([, value]) => value);
    const url = this.#locate(path, [
      ...named.filter(({ key }) => key !== INBOX).map(({ channel }) => ["channel", channel]),
      ...starts,
    ]);
    return this.#fetch(url, { cache: "no-store", signal: link.signal });
  }

  #locate(path, parameters = []) {
    const query = new URLSearchParams([...parameters, ["echo", this.#options.echo]]);
    return new URL(`${path}&${query}`, this.#options.url);
  }

  /** @returns {Promise<any>} */
  async #fetch(url, init) {
    const { fetch, headers } = this.#options;
    const token = await this.#authorize();
    const authorization = token && { authorization: `Bearer ${token}` };
    const response = await fetch(url, { ...init, headers: { ...authorization, ...headers, ...init.headers } });
    if (response.ok) return response;
    const { status } = response, retryAfter = Number(response.headers.get("retry-after")) || 0;
    const { code = "refused", detail = `The server answered ${status}.` } = await response.json().catch(() => ({}));
    throw new GongError(code, detail, { status, retryAfter });
  }

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
    const { type, id, channel, messageId } = line;
    const subscription = this.#find(link, line);
    if (id) {
      link.answered.get(id)?.(line.ok, line.error && asGongError(line.error));
      link.answered.delete(id);
    } else if (type === "welcome") {
      this.session = line.session;
      this.user = line.user;
      this.#planToken(link, line.until);
    } else if (type === "signal") {
      const { from, user, reply } = line;
      const answer = reply && ((data) => this.#command("answer", { reply, ...writeContent(data) }));
      this.#emit("signal", { from, user, answer, ...readContent(line) });
    } else if (type === "unsubscribed") {
      if (!subscription) return;
      const error = new GongError("forbidden", `Listening to ${channel} is not allowed any more.`);
      this.#drop(subscription, error);
    } else if (type === "close") link.abort(asGongError(line));
    else if (type === "subscribed") this.#tell(subscription, line);
    else if (!type && subscription?.moveTo(line) && (this.#options.echo || !messageId?.startsWith(this.#name))) {
      const { handlers } = subscription, message = { ...line, ...readContent(line) };
      // What one throws is reported, and the others hear all the same.
      for (const entry of handlers) queueMicrotask(() => handlers.has(entry) && entry[0](message));
    }
  }

  /** Past what is not delivered too: one's own, say. */
  #advance(link, cursor, lost = [], isFirst = false) {
    if (!this.#spoke(link)) return;
    for (const [, channel, epoch, offset] of cursor.matchAll(/([^,@]+)@([^,:]+):(\d+)/g)) {
      const subscription = this.#find(link, { channel });
      const told = { epoch, offset: Number(offset), recovered: !lost.includes(channel) };
      if (isFirst || !told.recovered) this.#tell(subscription, told);
      else subscription?.moveTo(told);
    }
  }

  /** The subscription that a line is of. The server alone knows which user this is, and tells it by the channel. */
  #find(link, { channel = "" }) {
    if (!channel.startsWith(`${INBOX}/`)) return link.heard.get(channel);
    const inbox = this.#subscriptions.get(INBOX);
    if (inbox && inbox.channel !== channel) Object.assign(inbox, { channel, epoch: undefined });
    return inbox ?? link.heard.get(channel);
  }

  #tell(subscription, { epoch, offset, recovered }) {
    if (!subscription) return;
    const { channel } = subscription;
    if (!recovered) subscription.epoch = undefined;
    subscription.moveTo({ epoch, offset });
    this.#emit("subscribed", { channel, epoch, offset, recovered });
    if (this.#link && this.#link.heard.size < this.#subscriptions.size) this.#change();
  }

  #enter(phase, details) {
    this.phase = phase;
    this.#emit("state", { phase, transport: this.transport, ...details });
  }

  #emit(type, details) {
    queueMicrotask(() => this.dispatchEvent(Object.assign(new Event(type), details)));
  }

  #ask(subscription) {
    const link = this.#link;
    const { key, channel, since, history } = subscription;
    if (key === INBOX) return;
    link?.command?.("subscribe", JSON.stringify(since ? { channel, since } : { channel, history }), (ok, error) => {
      if (this.#link !== link || this.#subscriptions.get(key) !== subscription) return;
      if (ok) return link.heard.set(key, subscription);
      if (error.retry) return link.abort(error);
      this.#drop(subscription, error);
    });
  }

  #drop({ key, channel }, error) {
    this.#forget(key);
    this.#emit("error", { error, channel });
  }

  #forget(channel) {
    this.#subscriptions.delete(channel);
    this.#link?.heard.delete(channel);
    if (channel !== INBOX) this.#link?.command?.("unsubscribe", JSON.stringify({ channel }));
    this.#change();
  }

  async #send(body, end) {
    const link = this.#link;
    if (Math.max(this.#posts, link?.answered.size ?? 0) >= 1_000) {
      throw new GongError("overloaded", "Too many publications wait.");
    }
    // What is long goes by HTTP, where the limit counts the data alone, and nothing overtakes it.
    if (link?.openedAt && link.command && !this.#posts && body.length < 8_000) {
      try {
        return await new Promise((resolve, reject) => {
          link.command("publish", body, (ok, error) => ok ? resolve(ok) : reject(error));
        });
      } catch (error) {
        if (!error.retry) throw error;
      }
    }
    this.#posts++;
    const post = this.#lastPost.then(() => this.#post(body, end)).finally(() => this.#posts--);
    this.#lastPost = post.catch(() => {});
    return post;
  }

  /** Asks over the WebSocket, once. */
  async #command(name, content, time = this.#options.timeout) {
    const link = this.#link;
    if (!link?.openedAt || !link.command) throw new GongError("conflict", "This needs a WebSocket that is open.");
    const end = limit(time + this.#options.timeout, this.#closing.signal);
    const answered = new Promise((resolve, reject) => {
      link.command(name, JSON.stringify(content), (ok, error) => ok ? resolve(ok) : reject(error));
    });
    try {
      return await Promise.race([answered, rejection(end)]);
    } finally {
      end.abort();
    }
  }

  async #post(body, end) {
    const url = new URL("api/publish", this.#options.url);
    for (let attempt = 0, isNewcomer;; attempt++) {
      const once = limit(this.#options.timeout, end);
      isNewcomer = !this.#token;
      try {
        const response = await this.#fetch(url, { method: "POST", headers: JSON_TYPE, body, signal: once.signal });
        return (await response.json()).positions[0];
      } catch (caught) {
        const error = asGongError(caught);
        if (end.aborted || !(this.#isStale(error) && !isNewcomer || error.retry)) throw error;
        await rejection(limit(backoff(attempt, error.retryAfter), end)).catch(() => {});
      } finally {
        once.abort();
      }
    }
  }
}

/** A connection, or the requests in its place, until it is aborted. */
class Link extends AbortController {
  openedAt = 0;
  spokeAt = performance.now();
  /** What it may bring. @type {Map<string, Subscription>} */
  heard = new Map();
  command;
  answered = new Map();
  /** Whether it has a token that the server has not seen. */
  isNewcomer = false;

  constructor(opened) {
    super();
    this.opened = opened;
  }
}

class Subscription {
  handlers = new Set();
  epoch;
  offset = 0;

  constructor(channel, since = "", history) {
    this.key = this.channel = channel;
    this.history = history;
    const [, epoch, offset] = /^(.+):(\d+)$/.exec(since) ?? [];
    if (epoch) this.moveTo({ epoch, offset: Number(offset) });
    else if (since) throw new TypeError("`since` has to be `epoch:offset`");
  }

  get since() {
    return this.epoch && `${this.epoch}:${this.offset}`;
  }

  moveTo({ epoch, offset }) {
    if (this.epoch === epoch && this.offset >= offset) return false;
    this.epoch = epoch;
    this.offset = offset;
    return true;
  }
}

function backoff(attempt, retryAfter) {
  return retryAfter * 1_000 + Math.random() * Math.min(30_000, 1_000 * 2 ** attempt);
}

function limit(time, ...signals) {
  for (const signal of signals) signal.throwIfAborted();
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(new GongError("timeout", "No answer came in time.")), time);
  end.signal.addEventListener("abort", () => clearTimeout(timer));
  for (const signal of signals) signal.addEventListener("abort", () => end.abort(signal.reason), end);
  return end;
}

function rejection({ signal }) {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

function checkCount(count) {
  if (count > MAX_CHANNELS) throw new RangeError(`at most ${MAX_CHANNELS} channels without a WebSocket`);
}

function createId() {
  return toBase64(crypto.getRandomValues(new Uint8Array(18)));
}

function writeContent(data) {
  return data instanceof Uint8Array ? { data: toBase64(data), encoding: "base64" } : { data };
}

function toBase64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function readContent({ data, encoding, contentType = typeof data === "string" ? "text/plain" : "application/json" }) {
  return { data: encoding ? Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0)) : data, contentType };
}

function asGongError(error = { code: "network", message: "The connection was lost." }) {
  if (error instanceof GongError) return error;
  return new GongError(error instanceof Error ? "network" : error.code, error.message, /** @type {object} */ (error));
}
