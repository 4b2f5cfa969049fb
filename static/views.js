/**
 * The parts of the page, of which one is shown: that of the address's fragment, `#users?prefix=4`. So each has an address,
 * and the browser's own keys go back to the one before.
 *
 * @module
 */

/** Where a link to the view leads. */
function fragment(view, query) {
  const text = new URLSearchParams(query).toString();
  return `#${view}${text && `?${text}`}`;
}

/** Has the link lead to the view. */
export function point(link, view, query = {}) {
  const href = fragment(view, query);
  if (link.getAttribute("href") !== href) link.setAttribute("href", href);
}

/** Goes to the view, or shows it anew. */
export function go(view, query = {}) {
  const hash = fragment(view, query);
  if (location.hash === hash) dispatchEvent(new Event("hashchange"));
  else location.hash = hash;
}

/** The views and the links to them: `node` and `link` of a name are `#view-NAME` and the `a` in `nav` that leads to it. */
export class Views {
  #nav;
  #panels;
  #allowed = [];
  #shown;

  /** `panels`: name of a view → what is told `start(query)` when it is shown, and `stop()` when it is not any more. */
  constructor(nav, panels) {
    this.#nav = nav;
    this.#panels = panels;
    addEventListener("hashchange", () => this.#shown && this.#show());
  }

  /** Shows the view of the address, or else the first of these; the others are not there for whoever looks at the page. */
  open(allowed) {
    this.#allowed = allowed;
    this.#nav.hidden = false;
    for (const link of this.#nav.children) link.hidden = !allowed.includes(link.hash.slice(1));
    this.#show();
  }

  close() {
    this.#panels[this.#shown]?.stop();
    this.#shown = undefined;
    this.#nav.hidden = true;
  }

  /** The link to the view that is shown. */
  get link() {
    return this.#nav.querySelector("[aria-current]");
  }

  #show() {
    const [name, text] = location.hash.slice(1).split("?", 2);
    const view = this.#allowed.includes(name) ? name : this.#allowed[0];
    const before = this.#shown;
    const from = document.activeElement;
    this.#panels[before]?.stop();
    this.#shown = view;
    for (const link of this.#nav.children) {
      const own = link.hash.slice(1);
      document.getElementById(`view-${own}`).hidden = own !== view;
      if (own !== view) link.removeAttribute("aria-current");
      else {
        link.setAttribute("aria-current", "page");
        document.title = `${link.textContent} · Admin · Gong`;
      }
    }
    this.#panels[view]?.start(new URLSearchParams(view === name ? text : ""));
    // Who came by a link that is not seen any more goes on where it led.
    if (before !== undefined && before !== view && from.getClientRects().length === 0) {
      scrollTo(0, 0);
      document.getElementById(`view-${view}`).querySelector("h2").focus();
    }
  }
}
