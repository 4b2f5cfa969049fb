/**
 * The admin page: who is logged in, and what they may see and do.
 *
 * @module
 */

import { call } from "./api.js";
import { createBroadcast } from "./broadcast.js";
import { Connections } from "./connections.js";
import { Feed } from "./feed.js";
import { Figures } from "./figures.js";
import { Presence } from "./presence.js";
import { RecentList } from "./recent.js";
import { Schedules } from "./schedules.js";
import { set, visible } from "./text.js";
import { TracePanel } from "./trace.js";
import { Users } from "./users.js";
import { Views } from "./views.js";

/** Milliseconds until the next try when the server does not say who is logged in. */
const AGAIN = 3_000;
const DEV = "Development mode: whoever reaches this server may do everything.";

const $ = (id) => document.getElementById(id);

const figures = new Figures($("figures"));
const recent = new RecentList({ list: $("recent-list"), none: $("recent-none") });
const feed = new Feed({ update, state: showState, loggedOut });
const traces = new TracePanel({
  form: $("look"),
  id: $("look-id"),
  answer: $("traces-answer"),
  list: $("traces-list"),
}, { loggedOut });
createBroadcast({
  form: $("broadcast-form"),
  channel: $("channel"),
  message: $("message"),
  ownId: $("message-id"),
  ttl: $("ttl"),
  trace: $("trace"),
  publish: $("publish"),
  answer: $("broadcast-answer"),
  onTraced: (id) => traces.look(id),
  onLoggedOut: loggedOut,
});

const views = new Views($("views"), {
  users: new Users({ loggedOut }),
  connections: new Connections({ own: () => feed.session, loggedOut }),
  presence: new Presence({ mayAct: () => may("admin"), loggedOut }),
  schedules: new Schedules({ loggedOut }),
});

let dev = false;
let scopes = [];

function may(scope) {
  return dev || scopes.includes("admin") || scopes.includes(scope);
}

function loggedOut() {
  showLogin("The login has ended.");
}

function showState(phase, text) {
  $("state").dataset.phase = phase;
  set($("state"), visible(text));
}

function showBanner(text) {
  $("banner").hidden = text === "";
  set($("banner"), text);
}

async function update({ stats, recent: publications, time }) {
  figures.update(stats, time);
  recent.update(publications);
  showBanner(stats?.gong_ready === 0 ? await describeTrouble() : dev ? DEV : "");
}

async function describeTrouble() {
  try {
    const { reasons } = await (await fetch("ready", { cache: "no-store" })).json();
    return `Not ready: ${visible(reasons.join(", ")) || "no reason given"}.`;
  } catch {
    return "Not ready.";
  }
}

function showLogin(message = "") {
  feed.stop();
  views.close();
  traces.stop();
  showBanner("");
  showState("none", "Logged out");
  $("desk").hidden = $("logout").hidden = true;
  $("login").hidden = false;
  $("who").textContent = "";
  set($("login-answer"), message);
  $("key").focus();
}

function showDesk(session) {
  dev = session.dev === true;
  scopes = session.scopes;
  $("login").hidden = true;
  $("desk").hidden = false;
  $("logout").hidden = dev;
  set($("who"), dev ? "" : visible(session.name));
  showBanner(dev ? DEV : "");
  $("figures").hidden = $("recent").hidden = !may("stats");
  $("broadcast").hidden = !may("publish");
  // Who may not read what is noted has it noted for nobody.
  $("traces").hidden = $("trace-choice").hidden = !may("stats");
  if (!may("stats")) $("trace").checked = false;
  figures.reset();
  if (may("stats")) feed.start({ live: may("admin") });
  else showState("open", "Logged in");
  // What is not theirs would only fail.
  const scopeOf = { users: "admin", connections: "admin", presence: "stats", schedules: "publish" };
  views.open(["overview", ...Object.keys(scopeOf).filter((name) => may(scopeOf[name]))]);
}

/** `rejected` is said when nobody is logged in. */
async function begin(rejected = "") {
  try {
    showDesk(await call("GET", "admin/session"));
  } catch (error) {
    if (error.status === 401) return showLogin(rejected);
    showState("waiting", error.message ?? "No answer came.");
    setTimeout(() => begin(rejected), AGAIN);
  }
}

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  if ($("login-button").disabled) return;
  $("login-button").disabled = true;
  set($("login-answer"), "");
  try {
    await call("POST", "admin/login", { key: $("key").value });
    $("key").value = "";
    await begin("This browser did not keep the login.");
    if (!$("desk").hidden) ($("message").getClientRects().length > 0 ? $("message") : views.link).focus();
  } catch (error) {
    set($("login-answer"), visible(error.message));
    $("key").select();
  } finally {
    $("login-button").disabled = false;
  }
});

$("logout").addEventListener("click", async () => {
  try {
    await call("POST", "admin/logout", {});
    showLogin("You are logged out.");
  } catch (error) {
    showBanner(visible(error.message));
  }
});

if (/Mac|iPhone|iPad/.test(navigator.platform)) $("modifier").textContent = "⌘";
begin();
