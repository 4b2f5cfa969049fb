/**
 * Received text as nodes of the page, and figures as text. Nothing here or elsewhere in these pages parses markup.
 *
 * @module
 */

/** Longest text put into the page; the console has the whole. */
const SHOWN = 20_000;

/**
 * What has no shape of its own or turns the direction of what follows: controls, format characters, line separators,
 * lone surrogates. Tab and line feed are layout; the joiners U+200C and U+200D belong to emoji and to Persian.
 */
const UNSEEN = /[^\P{C}\t\n\u200C\u200D]|[\u2028\u2029]/gu;

/** A visible name of one such character, e.g. `U+202E`: the pictures that Unicode has of some are in few fonts. */
function nameOf(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** The text with every unseen character named, for places that take only a string: titles, labels, notifications. */
export function visible(text) {
  return String(text).replaceAll("\r\n", "\n").replace(UNSEEN, nameOf);
}

/**
 * Puts `text` into `parent` in place of what was there: as text nodes, isolated from the direction of the text around
 * it when `parent` is a `bdi`, its unseen characters named in a `span.unseen`.
 */
export function show(parent, text) {
  const whole = String(text).replaceAll("\r\n", "\n");
  const part = whole.length > SHOWN ? whole.slice(0, SHOWN) : whole;
  const nodes = [];
  let from = 0;
  for (const match of part.matchAll(UNSEEN)) {
    if (match.index > from) nodes.push(part.slice(from, match.index));
    nodes.push(element("span", { className: "unseen" }, nameOf(match[0])));
    from = match.index + match[0].length;
  }
  if (from < part.length) nodes.push(part.slice(from));
  if (part.length < whole.length) {
    nodes.push(element("span", { className: "quiet" }, ` … ${count(whole.length - part.length)} more characters`));
  }
  parent.replaceChildren(...nodes);
  return parent;
}

/** Sets the text only when it differs, so that an unchanged page is not laid out again. */
export function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows received text, as {@linkcode show} does, whole in the title too; it is taken apart only when it changed. */
export function refill(node, text) {
  const whole = String(text ?? "");
  if (node.received === whole) return;
  node.received = whole;
  node.title = visible(whole);
  show(node, whole);
}

/** An element with properties and children; a string child is text. */
export function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** `12,345`. */
export function count(value) {
  return COUNT.format(value);
}

/** `12,345`, and `1.23M` from a million on. */
export function short(value) {
  return value < 1_000_000 ? COUNT.format(value) : COMPACT.format(value);
}

/** A rate: one decimal below ten. */
export function rate(value) {
  return value > 0 && value < 10 ? value.toFixed(1) : short(Math.round(value));
}

/** `512 B`, `1.5 KiB`, `20 MiB`. */
export function bytes(value) {
  let amount = value;
  for (const unit of ["B", "KiB", "MiB"]) {
    if (amount < 1024) return `${amount < 10 && unit !== "B" ? amount.toFixed(1) : Math.round(amount)} ${unit}`;
    amount /= 1024;
  }
  return `${amount.toFixed(1)} GiB`;
}

/** A duration in seconds by its largest unit: `5 s`, `12 min`, `3 h`, `9 d`. */
export function duration(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** A `time` element of the local time of day, with the whole instant for the pointer and for machines. */
export function clock(time) {
  const at = new Date(time);
  const two = (number) => String(number).padStart(2, "0");
  return element(
    "time",
    { dateTime: at.toISOString(), title: at.toLocaleString() },
    `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`,
  );
}

/** `4 sessions`. */
export function plural(value, one) {
  return `${count(value)} ${one}${value === 1 ? "" : "s"}`;
}
