/**
 * What tests run inside a page. Each function is sent there by its text, so it uses nothing from around it; it is
 * JavaScript because the types of a page are not those of Deno.
 *
 * @module
 */

/** Whether the page can be scrolled sideways. */
export function isTooWide() {
  return document.documentElement.scrollWidth > innerWidth;
}

/** Ids, or else texts, of the controls that stand out of the window's right edge. */
export function controlsOutside() {
  const controls = [...document.querySelectorAll("button, input, select, textarea, a, time")];
  return controls.filter((node) => node.checkVisibility() && node.getBoundingClientRect().right > innerWidth + 0.5)
    .map((node) => node.id || node.textContent);
}

/** Colour of the ground as it is drawn. */
export function groundColour() {
  return getComputedStyle(document.body).backgroundColor;
}

/** Pretends that the tab is in the background, or back again. */
export function setHidden(hidden) {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  Object.defineProperty(document, "visibilityState", { configurable: true, get: () => hidden ? "hidden" : "visible" });
  document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
}

/** The event that a browser sends when the network is back, or when the reader is. */
export function wake(event) {
  (event === "online" ? globalThis : document).dispatchEvent(new Event(event, { bubbles: true }));
}

/** Notes each notification in `shown`. */
export function spyOnNotifications() {
  globalThis.shown = [];
  globalThis.Notification = class extends Notification {
    constructor(title, options) {
      super(title, options);
      globalThis.shown.push([title, options.body]);
    }
  };
}

/** What {@linkcode spyOnNotifications} noted. */
export function shownNotifications() {
  return globalThis.shown;
}

/** Whether the last message is wholly above the lower edge of the list. */
export function newestInView() {
  const last = document.querySelector("#messages li:last-child").getBoundingClientRect();
  return last.bottom <= document.querySelector("#scroll").getBoundingClientRect().bottom + 1;
}

/** What has the focus, as a screen reader would say it. */
export function focused() {
  const node = document.activeElement;
  const named = document.getElementById(node.getAttribute("aria-labelledby") ?? "")?.textContent;
  const label = node.getAttribute("aria-label") ?? named ?? node.labels?.[0]?.textContent ?? node.textContent;
  return `${node.tagName.toLowerCase()} ${label.trim()}`;
}

/** Whether the element with the focus is drawn differently from how it is without. */
export function showsFocus() {
  const style = getComputedStyle(document.activeElement);
  return document.activeElement.matches(":focus-visible") && style.outlineStyle !== "none" &&
    parseFloat(style.outlineWidth) >= 2;
}
