/**
 * The browser client: hears the channels named in the address (`?channel=`), publishes to the first of them.
 *
 * @module
 */

import { call } from "./api.js";
import { Connection, describeClose } from "./connection.js";
import { MessageList } from "./messages.js";
import { createNotifier } from "./notify.js";
import { bytes, count, set, visible } from "./text.js";

const $ = (id) => document.getElementById(id);

const query = new URLSearchParams(location.search);
const channels = query.getAll("channel").filter((name) => name !== "");
if (channels.length === 0) channels.push("broadcast");
const [target] = channels;
const named = channels.map(visible).join(", ");

const wanted = new URLSearchParams(channels.map((name) => ["channel", name]));
const pushUrl = new URL(`push?${wanted}`, location.href);
if (query.get("echo") === "false") pushUrl.searchParams.set("echo", "false");
pushUrl.protocol = location.protocol === "https:" ? "wss:" : "ws:";

const list = new MessageList({ list: $("messages"), scroll: $("scroll"), latest: $("latest") });
const notifier = createNotifier($("notify"), named);

let open = false;
/** What /session says of this client and these channels. */
let session = { publish: true };
/** The text last sent on this connection: given back when the server closes because of it. */
let sent = "";
let lostAt = 0;

const connection = new Connection(pushUrl, { state: showState, message: receive, after: afterClose });

function receive(data) {
  const text = typeof data === "string" ? data : `${bytes(data.byteLength)} of binary data`;
  console.log("gong:", typeof data === "string" ? data : new Uint8Array(data));
  list.add(text, { binary: typeof data !== "string" });
  notifier.message(text);
  if (document.hidden) document.title = `(${count(notifier.unseen)}) ${named} · Gong`;
  $("empty").hidden = true;
  $("wipe").hidden = false;
  $("mark").classList.add("struck");
}

function showState(state) {
  const { phase } = state;
  const was = $("state").dataset.phase;
  $("state").dataset.phase = phase;
  open = phase === "open";
  $("again").hidden = phase === "open" || phase === "connecting";
  if (phase === "connecting") set($("state"), "Connecting …");
  else if (phase === "open") set($("state"), "Open");
  else {
    const plan = phase === "closed"
      ? "."
      : state.seconds === undefined
      ? ". Reconnecting …"
      : `. Reconnecting in ${state.seconds} s`;
    set($("state"), `Closed: ${visible(describeClose(state))}${plan}`);
  }
  // The count-down is for the eye; a screen reader hears each change of phase once.
  if (was !== phase) set($("announcement"), open ? "Connection open" : $("state").textContent);
  if (phase === "waiting" && was === "open") lostAt = Date.now();
  if (open && lostAt > 0) {
    list.note(lostAt, "Connection lost and back; messages of that time are not shown");
    lostAt = 0;
    $("empty").hidden = true;
  }
  showComposer();
}

/** Asks what this client may do here; the WebSocket of a browser does not tell why it was refused. */
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

async function afterClose({ code, opened }) {
  const text = sent;
  sent = "";
  if (code === 1009 && text) giveBack(text);
  if (opened && code !== 4403 && code !== 4401) return [4400, 4409].includes(code) ? "stop" : "wait";
  const { subscribe, publish } = await askSession();
  if (subscribe === false) return "stop";
  if (code !== 4403) return "wait";
  // Closed with "forbidden" though it may listen: either for what it published, or by the operator.
  if (!text) return "stop";
  giveBack(text);
  if (publish) session = { ...session, publish: false, reason: `Publishing to ${target} was refused.` };
  return "now";
}

function giveBack(text) {
  if ($("text").value === "") $("text").value = text;
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
  set($("reason"), visible(why));
  $("enter").hidden = session.publish;
  $("send").disabled = !open || why !== "" || text === "";
  $("clear").disabled = text === "";
  set(
    $("hint"),
    session.subscribe === false ? visible(session.reason) : `Messages on ${named} appear here as they come.`,
  );
}

function send() {
  const text = $("text").value;
  if ($("send").disabled || !connection.send(text)) return;
  sent = text;
  $("text").value = "";
  list.follow();
  showComposer();
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
$("text").addEventListener("input", showComposer);
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
$("again").addEventListener("click", () => connection.open());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) document.title = `${named} · Gong`;
});
if (/Mac|iPhone|iPad/.test(navigator.platform)) $("modifier").textContent = "⌘";

askSession();
connection.open();
