/**
 * What tests of the STOMP libraries run inside a page, where both are loaded. Each function is sent there by its text.
 *
 * @module
 */

/**
 * Connects with `library`, comes back whenever the connection ends, and then goes on from the last positions. What comes
 * is noted in `globalThis.told`. Resolves to the headers of the first CONNECTED.
 */
export function connect({ library, url, version, beats = 0 }) {
  const told = globalThis.told = { messages: [], receipts: {}, beats: 0, connected: [], codes: [] };
  const wishes = globalThis.wishes = [];
  const { StompJs, Stomp } = globalThis;
  let client;
  const ask = (wish) => {
    const since = wish.since === undefined ? {} : { since: wish.since };
    const { destination, headers } = wish;
    const { unsubscribe } = client.subscribe(destination, ({ headers, body, binaryBody }) => {
      wish.since = headers.position;
      // More than a few would take the test long to look at.
      const bytes = binaryBody?.length <= 256 ? [...binaryBody] : undefined;
      told.messages.push({ headers, body, bytes });
      globalThis.last = binaryBody ?? body;
    }, { ...headers, ...since });
    wish.unsubscribe = unsubscribe;
  };
  const connected = ({ headers }, resolve) => {
    told.connected.push(headers);
    for (const wish of wishes) ask(wish);
    resolve(headers);
  };
  const receipt = ({ headers }) => void (told.receipts[headers["receipt-id"]] = headers);
  const protocol = `v${version.replace(".", "")}.stomp`;
  const watch = (socket) => {
    socket.addEventListener("close", ({ code }) => told.codes.push(code));
    socket.addEventListener("message", ({ data }) => told.beats += data === "\n" ? 1 : 0);
    globalThis.socket = socket;
    return socket;
  };
  const modern = (resolve) => {
    client = new StompJs.Client({
      webSocketFactory: () => watch(new WebSocket(url, protocol)),
      stompVersions: new StompJs.Versions([version]),
      reconnectDelay: 50,
      heartbeatIncoming: beats,
      heartbeatOutgoing: beats,
      onUnhandledReceipt: receipt,
      onConnect: (frame) => connected(frame, resolve),
    });
    client.activate();
    const send = (destination, body, headers) => {
      const isBytes = typeof body !== "string";
      client.publish({ destination, headers, ...(isBytes ? { binaryBody: Uint8Array.from(body) } : { body }) });
    };
    return { send, disconnect: () => client.deactivate() };
  };
  const legacy = (resolve) => {
    let isOver = false;
    const begin = () => {
      client = Stomp.over(watch(new WebSocket(url, protocol)));
      client.debug = null;
      client.heartbeat = { incoming: beats, outgoing: beats };
      client.onreceipt = receipt;
      // It says so twice: by the ERROR, and by the end.
      const ended = (what) => typeof what === "string" && !isOver && setTimeout(begin, 50);
      client.connect({}, (frame) => connected(frame, resolve), ended);
    };
    begin();
    return {
      send: (destination, body, headers) => client.send(destination, headers, body),
      disconnect: () => new Promise((resolve) => client.disconnect(resolve, isOver = {})),
    };
  };
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`no CONNECTED: ${told.codes}`)), 10_000);
    globalThis.stomp = {
      ...(library === "modern" ? modern : legacy)(resolve),
      subscribe(destination, headers) {
        const wish = { destination, headers };
        wishes.push(wish);
        ask(wish);
      },
      unsubscribe: (at) => wishes[at].unsubscribe(),
      transact: (command, id) => client[command](id),
      settle(command, { headers }, more) {
        client[command](version === "1.2" ? headers.ack : headers["message-id"], headers.subscription, more);
      },
    };
  });
}

export function send({ destination, body, headers = {} }) {
  globalThis.stomp.send(destination, body, { ...headers });
}

export function subscribe({ destination, headers = {} }) {
  globalThis.stomp.subscribe(destination, { ...headers });
}

export function transact({ command, id }) {
  globalThis.stomp.transact(command, id);
}

/** Ends the subscription that was made so many-eth. */
export function unsubscribe({ at }) {
  globalThis.stomp.unsubscribe(at);
}

/** `ack` or `nack` of the message that came so many-eth. */
export function settle({ command, at, headers = {} }) {
  globalThis.stomp.settle(command, globalThis.told.messages[at], { ...headers });
}

/** Ends the WebSocket as a network would, without a DISCONNECT. */
export function drop() {
  globalThis.socket.close();
}

export function disconnect() {
  return globalThis.stomp.disconnect();
}

export function told() {
  return globalThis.told;
}

/** Sends a text or bytes, so many of them, for {@linkcode hasLarge}. */
export function sendLarge({ destination, size, isBytes = false }) {
  globalThis.large = isBytes
    ? Uint8Array.from({ length: size }, (_, at) => at * 31 >> 3)
    : Array.from({ length: size / 8 }, (_, at) => `${at.toString(36).padStart(7, ".")}\n`).join("");
  globalThis.stomp.send(destination, globalThis.large, {});
}

/** Whether the last message is what was sent, to the last byte. */
export function hasLarge() {
  const { large, last, told } = globalThis;
  if (typeof large === "string") return told.messages.at(-1)?.body === large;
  return last?.length === large.length && large.every((byte, at) => byte === last[at]);
}

/**
 * Says hello to itself by a library that is told nothing but the address. Resolves to the subprotocol, the version of
 * CONNECTED, and what came.
 */
export function greet({ library, url }) {
  const { StompJs, Stomp } = globalThis;
  const [destination, hello] = ["/topic/hello", "你好"];
  return new Promise((resolve, reject) => {
    if (library === "modern") {
      const client = new StompJs.Client({ brokerURL: url, reconnectDelay: 0 });
      client.onConnect = ({ headers: { version } }) => {
        client.subscribe(destination, ({ body }) => {
          resolve([client.webSocket.protocol, version, body]);
          client.deactivate();
        });
        client.publish({ destination, body: hello });
      };
      client.onStompError = ({ headers }) => reject(new Error(headers.message));
      client.activate();
      return;
    }
    const client = Stomp.client(url);
    client.debug = null;
    client.connect("guest", "", ({ headers: { version } }) => {
      client.subscribe(destination, ({ body }) => {
        resolve([client.ws.protocol, version, body]);
        client.disconnect(() => {});
      });
      client.send(destination, {}, hello);
    }, (what) => reject(new Error(String(what))));
  });
}
