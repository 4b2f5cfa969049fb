/**
 * The last publications, newest first.
 *
 * @module
 */

import { bytes, clock, count, element, show } from "./text.js";

/** Publications kept in the page. */
const KEPT = 50;

export class RecentList {
  #list;
  #none;
  /** What is shown, newest first. */
  #keys = [];

  constructor({ list, none }) {
    this.#list = list;
    this.#none = none;
  }

  /** Shows these, given newest first; what is already in the page stays as it is, with selection and place. */
  update(publications) {
    if (!Array.isArray(publications)) return;
    const wanted = publications.slice(0, KEPT);
    const keys = wanted.map((each) => `${each.channel} ${each.offset} ${each.time}`);
    if (keys.join() === this.#keys.join()) return;
    const known = new Map(this.#keys.map((key, at) => [key, this.#list.children[at]]));
    const away = this.#list.scrollTop > 0 ? this.#list.scrollHeight - this.#list.scrollTop : 0;
    this.#list.replaceChildren(...wanted.map((each, at) => known.get(keys[at]) ?? render(each)));
    if (away) this.#list.scrollTop = this.#list.scrollHeight - away;
    this.#keys = keys;
    this.#list.hidden = wanted.length === 0;
    this.#none.hidden = wanted.length > 0;
  }
}

function render({ channel, offset, time, contentType, bytes: size, preview }) {
  const where = element(
    "p",
    { className: "where" },
    show(element("bdi", { className: "name" }), channel ?? ""),
    element("span", { className: "quiet" }, ` ${count(offset ?? 0)}`),
  );
  const binary = !preview && size > 0;
  const what = binary
    ? show(element("bdi", { className: "what quiet" }), contentType || "binary")
    : show(element("bdi", { className: "what", dir: "auto" }), preview ?? "");
  return element(
    "li",
    {},
    clock(time ?? 0),
    where,
    element("span", { className: "size quiet" }, bytes(size ?? 0)),
    what,
  );
}
