/**
 * "Notify me": browser notifications while the tab is hidden.
 *
 * @module
 */

import { count, visible } from "./text.js";

/** At most one notification in this many milliseconds; the next one says how many came. */
const PAUSE = 2_000;
const REMEMBERED = "gong.notify";

/**
 * Makes `button` the switch. `message(text)` is to be called with each message; `unseen` counts those that came while
 * the tab was hidden.
 */
export function createNotifier(button, title) {
  let on = false;
  let last = -PAUSE;
  let timer = 0;
  let latest = "";
  let unsaid = 0;
  const notifier = { unseen: 0, message };

  function message(text) {
    if (!document.hidden) return;
    notifier.unseen++;
    if (!on) return;
    unsaid++;
    latest = text;
    if (timer === 0) timer = setTimeout(announce, Math.max(0, last + PAUSE - performance.now()));
  }

  function announce() {
    timer = 0;
    if (!document.hidden || unsaid === 0) return;
    const body = visible(latest.slice(0, 200));
    try {
      const notification = new Notification(unsaid === 1 ? title : `${title}: ${count(unsaid)} messages`, {
        body,
        icon: "static/favicon.svg",
        tag: `gong ${title}`,
        renotify: true,
      });
      notification.onclick = () => {
        focus();
        notification.close();
      };
    } catch {
      // Chrome on Android has the constructor and always throws: it wants a service worker.
      return set(false, "This browser shows no notifications for pages");
    }
    last = performance.now();
    unsaid = 0;
  }

  function set(value, trouble = "") {
    on = value;
    button.setAttribute("aria-pressed", String(on));
    button.textContent = trouble || (on ? "Notifying" : "Notify me");
    button.disabled = trouble !== "";
    try {
      if (on) localStorage.setItem(REMEMBERED, "1");
      else localStorage.removeItem(REMEMBERED);
    } catch {
      // Storage is closed to this page: the choice lasts as long as the page.
    }
  }

  function remembered() {
    try {
      return localStorage.getItem(REMEMBERED) === "1";
    } catch {
      return false;
    }
  }

  button.addEventListener("click", async () => {
    if (on) return set(false);
    const answer = await Notification.requestPermission();
    set(answer === "granted", answer === "denied" ? "Notifications are blocked" : "");
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    notifier.unseen = unsaid = 0;
    clearTimeout(timer);
    timer = 0;
  });

  if (!("Notification" in globalThis)) set(false, "No notifications here");
  else if (Notification.permission === "denied") {
    set(false, isSecureContext ? "Notifications are blocked" : "Notifications need HTTPS");
  } else if (Notification.permission === "granted" && remembered()) set(true);
  return notifier;
}
