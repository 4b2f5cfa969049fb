/**
 * The STOMP page: frames by hand, for whoever writes a client. It remembers nothing.
 *
 * @module
 */

import { StompClient } from "./stomp_client.js";
import { FrameLog } from "./stomp_log.js";
import { clock, count, element, set, show, visible } from "./text.js";

const $ = (id) => document.getElementById(id);

const log = new FrameLog({
  list: $("frames"),
  scroll: $("scroll"),
  hold: $("hold"),
  clear: $("clear"),
  actions: (frame) => client.isToAcknowledge(frame) ? settling(frame) : [],
});
const client = new StompClient({ frame: (direction, frame) => log.add(direction, frame), state, beat, changed });
const beats = { in: 0, out: 0 };

function state({ phase, text }) {
  $("state").dataset.phase = phase;
  set($("state"), visible(text));
  if (phase === "closed") log.note(text);
  const isOpen = phase === "open";
  for (const id of ["subscribe", "send", "begin", "commit", "abort"]) $(id).disabled = !isOpen;
  $("disconnect").disabled = phase !== "open" && phase !== "connecting";
  set($("connect"), phase === "none" ? "Connect" : "Reconnect");
  if (phase === "connecting") beats.in = beats.out = 0;
  showBeats();
}

/** Too many for the log. */
function beat(direction) {
  beats[direction]++;
  showBeats(new Date());
}

function showBeats(last) {
  const { in: received, out: sent } = beats;
  if (received + sent === 0) return $("beats").replaceChildren();
  $("beats").replaceChildren(`Heart-beats: ${count(received)} received, ${count(sent)} sent, last `, clock(last));
}

/** The buttons of a message that waits for them. Once one was pressed, none is of use. */
function settling(frame) {
  const act = (command, headers = []) => (button) => {
    attempt("send", () => {
      client.settle(command, frame, [...headers, ...inTransaction()]);
      for (const each of button.parentElement.querySelectorAll("button")) each.disabled = true;
    });
  };
  const nack = client.version === "1.0" ? [] : [
    ["NACK", act("NACK")],
    ["NACK, drop", act("NACK", [["requeue", "false"]])],
  ];
  return [["ACK", act("ACK")], ...nack];
}

const items = new Map();

/** What is listed stays as it is where it can, so that no button is taken from under the focus. */
function changed() {
  for (const [id, item] of items) if (!client.subscriptions.has(id) && items.delete(id)) item.remove();
  for (const subscription of client.subscriptions.values()) {
    const item = items.get(subscription.id) ?? listed(subscription);
    const { note, position, ack } = subscription;
    const rest = [ack, note, ...(position === undefined ? [] : [`at ${position}`])];
    show(item.querySelector(".quiet"), rest.join(" · "));
  }
}

function listed({ id, destination }) {
  const button = element("button", { className: "plain", type: "button" }, "Unsubscribe");
  button.setAttribute("aria-label", `Unsubscribe ${id} from ${visible(destination)}`);
  button.addEventListener("click", () => {
    attempt("subscribe", () => client.unsubscribe(id));
    $("source").focus();
  });
  const name = show(element("bdi", {}), `${id} ${destination}`);
  const item = element("li", {}, element("div", {}, name, element("div", { className: "quiet" })), button);
  $("subscriptions").append(item);
  items.set(id, item);
  return item;
}

/** Does it, and says beside the form why it could not be done. */
function attempt(form, action) {
  const answer = $(`${form}-answer`);
  try {
    action();
    set(answer, "");
  } catch (error) {
    set(answer, visible(error.message));
  }
}

function connect() {
  const path = $("path").value.trim();
  const url = new URL(path.replace(/^\/+/, ""), new URL("../", location.href));
  if (url.host !== location.host) throw new TypeError("The path has to be one of this server.");
  url.protocol = url.protocol.replace("http", "ws");
  client.connect({
    url,
    version: $("version").value,
    withProtocol: $("protocol").checked,
    login: $("login").value,
    passcode: $("passcode").value,
    beats: [$("beat-out").valueAsNumber, $("beat-in").valueAsNumber],
  });
}

function send() {
  const fields = [
    ["destination", $("destination").value],
    ["content-type", $("type").value],
    ["receipt", $("receipt").value],
    ...inTransaction(),
  ];
  const more = $("headers").value.split("\n").filter((line) => line.trim() !== "").map((line) => {
    const colon = line.indexOf(":");
    if (colon <= 0) throw new TypeError(`A header is NAME:VALUE, not ${line}`);
    return [line.slice(0, colon), line.slice(colon + 1)];
  });
  const body = $("as-bytes").checked ? parseHex($("body").value) : $("body").value;
  client.say("SEND", [...fields.filter(([, value]) => value !== ""), ...more], body);
}

/** @throws {TypeError} */
function parseHex(text) {
  const digits = text.replace(/\s+/g, "");
  if (!/^(?:[\da-f]{2})*$/i.test(digits)) throw new TypeError("The body is not hex: two digits a byte.");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function inTransaction() {
  const transaction = $("transaction").value;
  return transaction === "" ? [] : [["transaction", transaction]];
}

function transact(command) {
  if ($("transaction").value === "") throw new TypeError("A transaction has a name of your choice.");
  client.say(command, inTransaction());
}

function submits(form, action) {
  $(`${form}-form`).addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(form, action);
  });
}

submits("connect", connect);
submits("subscribe", () => {
  client.subscribe({
    destination: $("source").value,
    ack: $("ack").value,
    prefetch: $("prefetch").value,
    since: $("since").value.trim(),
  });
});
submits("send", send);
$("disconnect").addEventListener("click", () => attempt("connect", () => client.disconnect()));
for (const id of ["begin", "commit", "abort"]) {
  $(id).addEventListener("click", () => attempt("send", () => transact(id.toUpperCase())));
}
$("body").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
  event.preventDefault();
  if (!$("send").disabled) $("send-form").requestSubmit();
});
// A page that comes back from the browser's cache has no connection any more, and is to have no passcode either.
addEventListener("pagehide", () => {
  $("passcode").value = "";
});
