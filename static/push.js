/**
 * The browser client: hears the channels named in the address (`?channel=`), publishes to the first of them.
 *
 * @module
 */

import { Gong } from "./gong.js";
import { call } from "./api.js";
import { MessageList } from "./messages.js";
import { createNotifier } from "./notify.js";
import { bytes, count, set, visible } from "./text.js";

const $ = (id) => document.getElementById(id);

const query = new URLSearchParams(location.search);
const channels = [...new Set(query.getAll("channel").filter((name) => name !== ""))];
if (channels.length === 0) channels.push("broadcast");
const [target] = channels;
const named = channels.map(visible).join(", ");

const wanted = new URLSearchParams(channels.map((name) => ["channel", name]));
const list = new MessageList({ list: $("messages"), scroll: $("scroll"), latest: $("latest") });
const notifier = createNotifier($("notify"), named);
const TRANSPORTS = { websocket: "WebSocket", sse: "Server-Sent Events", polling: "polling" };

const gong = new Gong({ url: location.href, echo: query.get("echo") !== "false" });
/** Channels that the connection brings, and those that were refused. */
const heard = new Set();
const refused = new Set();
let open = false;
let countdown = 0;
/** What /session says of this client and these channels. */
let session = { publish: true };
/** Why the last text was not taken. */
let trouble = "";

function receive({ data, time }) {
  const isBinary = data instanceof Uint8Array;
  const text = isBinary ? `${bytes(data.byteLength)} of binary data` : asText(data);
  console.log("gong:", data);
  list.add(text, { binary: isBinary, time });
  notifier.message(text);
  if (document.hidden) document.title = `(${count(notifier.unseen)}) ${named} · Gong`;
  $("empty").hidden = true;
  $("wipe").hidden = false;
  $("mark").classList.add("struck");
}

function asText(data) {
  return typeof data === "string" ? data : JSON.stringify(data);
}

/** Hears every channel that is not heard. */
function listen() {
  for (const channel of refused.size > 0 ? refused : channels) gong.subscribe(channel, receive);
  refused.clear();
}

function showState({ phase, error, delay }) {
  clearInterval(countdown);
  if (phase !== "open") heard.clear();
  // That it is connected is nothing to its reader before every channel is heard.
  if (phase === "open" && heard.size + refused.size < channels.length) return;
  // Without a channel that may be heard there is no connection.
  if (phase === "idle") return;
  const was = $("state").dataset.phase;
  $("state").dataset.phase = phase;
  open = phase === "open";
  $("again").hidden = open || phase === "connecting";
  if (phase === "connecting") set($("state"), "Connecting …");
  else if (open) set($("state"), `Open, over ${TRANSPORTS[gong.transport]}`);
  else showPlan(phase, error, delay);
  // The count-down is for the eye; a screen reader hears each change of phase once.
  if (was !== phase) set($("announcement"), open ? "Connection open" : $("state").textContent);
  showComposer();
}

/** As soon as the last channel is heard. */
function showOpen() {
  if (gong.phase === "open") showState({ phase: "open" });
}

function showPlan(phase, error, delay = 0) {
  const due = performance.now() + delay;
  const why = `Closed: ${visible(describe(error))}.`;
  const show = () => {
    const seconds = Math.ceil((due - performance.now()) / 1000);
    set($("state"), phase === "closed" ? why : `${why} Reconnecting ${seconds > 0 ? `in ${seconds} s` : "…"}`);
  };
  show();
  if (phase === "waiting") countdown = setInterval(show, 1000);
}

/** `4403, not allowed`: the code, if there is one, and the reason. */
function describe(error) {
  const reason = error?.message.replace(/\.$/, "") ?? "the page was away";
  return error?.status ? `${error.status}, ${reason}` : reason;
}

function subscribed({ channel, recovered }) {
  heard.add(channel);
  if (!recovered) {
    list.note(Date.now(), `What came on ${visible(channel)} in the meantime is lost`);
    $("empty").hidden = true;
  }
  showOpen();
}

/** A channel is refused; or, without a channel, the client. */
function refuse({ channel, error }) {
  askSession();
  if (channel === undefined) return;
  refused.add(channel);
  if (refused.size === channels.length) return showState({ phase: "closed", error });
  list.note(Date.now(), `${visible(channel)} is not heard: ${visible(error.message)}`);
  $("empty").hidden = true;
  showOpen();
}

/** Asks what this client may do here. */
async function askSession() {
  try {
    session = await call("GET", `session?${wanted}`);
  } catch (refused) {
    if (refused.status === 400 || refused.status === 403) {
      session = { subscribe: false, publish: false, reason: refused.message };
    }
  }
  showComposer();
  return session;
}

/** Why nothing can be sent now; empty when it can. */
function reason(text) {
  if (!session.publish) return session.reason ?? "Publishing is not allowed here.";
  const size = new TextEncoder().encode(text).length;
  if (size > session.maxMessage) return `${bytes(size)}; at most ${bytes(session.maxMessage)} are taken.`;
  return "";
}

function showComposer() {
  const text = $("text").value;
  const why = reason(text);
  set($("reason"), visible(why || trouble));
  $("enter").hidden = session.publish;
  $("send").disabled = !open || why !== "" || text === "";
  $("clear").disabled = text === "";
  set(
    $("hint"),
    session.subscribe === false ? visible(session.reason) : `Messages on ${named} appear here as they come.`,
  );
}

async function send() {
  const text = $("text").value;
  if ($("send").disabled) return;
  trouble = $("text").value = "";
  list.follow();
  showComposer();
  try {
    await gong.publish(target, text);
  } catch (error) {
    if ($("text").value === "") $("text").value = text;
    trouble = error.message;
    if (error.code !== "forbidden" && error.code !== "unauthorized") return showComposer();
    await askSession();
    if (session.publish) session = { ...session, publish: false, reason: `Publishing to ${target} was refused.` };
    showComposer();
  }
}

document.title = `${named} · Gong`;
$("mark").addEventListener("animationend", () => $("mark").classList.remove("struck"));
$("channel").value = channels.join(" ");
$("picker").addEventListener("submit", (event) => {
  event.preventDefault();
  const names = $("channel").value.split(/[\s,]+/).filter((name) => name !== "");
  location.search = new URLSearchParams(names.map((name) => ["channel", name]));
});
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
$("text").addEventListener("input", () => {
  trouble = "";
  showComposer();
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
$("clear").addEventListener("click", () => {
  $("text").value = "";
  $("text").focus();
  showComposer();
});
$("wipe").addEventListener("click", () => {
  list.clear();
  $("wipe").hidden = true;
  $("empty").hidden = false;
  $("scroll").focus();
});
$("again").addEventListener("click", () => {
  if (refused.size > 0) listen();
  gong.connect();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) document.title = `${named} · Gong`;
});
if (/Mac|iPhone|iPad/.test(navigator.platform)) $("modifier").textContent = "⌘";

gong.addEventListener("state", showState);
gong.addEventListener("subscribed", subscribed);
gong.addEventListener("error", refuse);
askSession();
listen();
