/**
 * The figures of the server: now, as rates, and the last two minutes as lines. A figure that is missing shows a dash.
 *
 * @module
 */

import { bytes, duration, element, plural, rate, set, short } from "./text.js";

/** Points of a line; there is one a second. */
const POINTS = 120;
const SVG = "http://www.w3.org/2000/svg";
const NONE = "–";

const total = (value) =>
  typeof value === "object" && value !== null
    ? Object.values(value).reduce((sum, each) => sum + (Number(each) || 0), 0)
    : value;

/** `slow 12 · gone 3`: the largest parts of a figure that has a label. */
function parts(value, most = 3) {
  if (typeof value !== "object" || value === null) return "";
  const named = Object.entries(value).filter(([, each]) => each > 0).sort(([, a], [, b]) => b - a);
  const rest = named.length > most ? " …" : "";
  return named.slice(0, most).map(([name, each]) => `${name} ${short(each)}`).join(" · ") + rest;
}

const seconds = (value) => value < 1 ? `${Number((value * 1000).toPrecision(2))} ms` : `${value.toFixed(1)} s`;

/** The three with a line. `value` gets the newest stats and the change a second of a counter. */
const LARGE = [
  {
    name: "Connections",
    value: ({ gong_sessions: by }) => by && total(by),
    format: short,
    note: (s) => parts(s.gong_sessions),
  },
  {
    name: "Published a second",
    value: (_, change) => change("gong_published_total"),
    format: rate,
    note: (s) => s.gong_published_total === undefined ? "" : `${short(s.gong_published_total)} in all`,
  },
  {
    name: "Delivered a second",
    value: (_, change) => change("gong_delivered_total"),
    format: rate,
    note: (s) => s.gong_delivered_total === undefined ? "" : `${short(s.gong_delivered_total)} in all`,
  },
];

/** The others: `[text, note]` of the newest stats, `text` undefined when it is not known. */
const SMALL = [
  [
    "Publish to write",
    ({ gong_publish_to_write_seconds: h }) =>
      h &&
      [typeof h.p50 === "number" ? seconds(h.p50) : NONE, typeof h.p99 === "number" ? `p99 ${seconds(h.p99)}` : ""],
  ],
  [
    "Memory",
    (s) =>
      s.residentBytes > 0 &&
      [bytes(s.residentBytes), s.gong_heap_bytes ? `heaps ${bytes(total(s.gong_heap_bytes))}` : ""],
  ],
  ["CPU", (_, change) => {
    const used = change("cpuSeconds");
    return used !== undefined && [`${Math.round(used * 100)} %`, "of one core"];
  }],
  ["Queued", (s) => s.gong_outbox_bytes !== undefined && [bytes(s.gong_outbox_bytes), "to sockets"]],
  [
    "Closed",
    (s) =>
      s.gong_sessions_closed_total && [short(total(s.gong_sessions_closed_total)), parts(s.gong_sessions_closed_total)],
  ],
  ["Dropped", (s) => s.gong_dropped_total && [short(total(s.gong_dropped_total)), parts(s.gong_dropped_total)]],
  ["Refused", (s) => s.gong_refused_total && [short(total(s.gong_refused_total)), parts(s.gong_refused_total)]],
  [
    "Stuck sockets",
    (s) =>
      s.gong_stuck_sockets !== undefined &&
      [short(s.gong_stuck_sockets), s.gong_stuck_bytes > 0 ? bytes(s.gong_stuck_bytes) : ""],
  ],
  [
    "Edges",
    (s) => s.gong_edges !== undefined && [short(s.gong_edges), plural(s.gong_edge_restarts_total ?? 0, "restart")],
  ],
  [
    "Up",
    (s) =>
      s.process_start_time_seconds > 0 && [duration((s.time ?? Date.now()) / 1000 - s.process_start_time_seconds), ""],
  ],
];

export class Figures {
  #large;
  #small;
  #before;

  constructor(root) {
    this.#large = LARGE.map((figure) => ({ figure, points: [], ...createLarge(figure.name) }));
    this.#small = SMALL.map(([name, read]) => ({ read, ...createSmall(name) }));
    root.replaceChildren(
      element("div", { className: "large" }, ...this.#large.map(({ node }) => node)),
      element("dl", { className: "small" }, ...this.#small.map(({ node }) => node)),
    );
  }

  /** Forgets what was, so that a pause is not taken for a low rate. */
  reset() {
    this.#before = undefined;
    for (const each of this.#large) each.points = [];
  }

  /** `time`: when the figures were taken, in milliseconds. */
  update(stats, time) {
    if (typeof stats !== "object" || stats === null) return;
    const now = { ...stats, time: stats.time ?? time };
    const before = this.#before;
    const past = before && (now.time - before.time) / 1000;
    if (past !== undefined && past <= 0) return;
    // A total that fell is of another process: what it was in between is not known.
    const change = (name) => {
      const by = now[name] - before?.[name];
      return by >= 0 ? by / past : undefined;
    };
    this.#before = now;
    for (const each of this.#large) {
      const value = each.figure.value(now, change);
      set(each.value, value === undefined ? NONE : each.figure.format(value));
      set(each.note, each.figure.note(now));
      if (value !== undefined) each.points = [...each.points, value].slice(-POINTS);
      draw(each);
    }
    for (const { read, value, note } of this.#small) {
      const [text, detail] = read(now, change) || [NONE, ""];
      set(value, text);
      set(note, detail);
      note.title = detail;
    }
  }
}

function createLarge(name) {
  const value = element("span", { className: "value" }, NONE);
  const note = element("span", { className: "note quiet" });
  const peak = element("span", { className: "peak quiet" });
  const picture = document.createElementNS(SVG, "svg");
  const area = document.createElementNS(SVG, "path");
  const line = document.createElementNS(SVG, "path");
  for (
    const [key, text] of [["viewBox", `0 0 ${POINTS - 1} 40`], ["preserveAspectRatio", "none"], ["aria-hidden", "true"]]
  ) {
    picture.setAttribute(key, text);
  }
  picture.setAttribute("class", "line");
  area.setAttribute("class", "area");
  picture.append(area, line);
  const node = element(
    "div",
    { className: "figure" },
    element("div", { className: "name" }, element("h2", {}, name), peak),
    element("div", { className: "amount" }, value, note),
    picture,
  );
  return { node, value, note, area, line, peak };
}

function createSmall(name) {
  const value = element("dd", { className: "value" }, NONE);
  const note = element("dd", { className: "note quiet" });
  return { node: element("div", {}, element("dt", {}, name), value, note), value, note };
}

/** The newest point is at the right; the height is that of the largest. */
function draw({ figure, points, area, line, peak }) {
  if (points.length < 2) return;
  const most = Math.max(...points);
  const first = POINTS - points.length;
  const path = points.map((point, at) => `${first + at},${(38 - 36 * point / (most || 1)).toFixed(1)}`).join("L");
  line.setAttribute("d", `M${path}`);
  area.setAttribute("d", `M${first},40L${path}L${POINTS - 1},40Z`);
  set(peak, `peak ${figure.format(most)}`);
}
