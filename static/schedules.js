/**
 * The table of schedules: when each fires next, and what became of it the last time.
 *
 * @module
 */

import { ask, call } from "./api.js";
import { dayAndTime, moment } from "./instants.js";
import { createRow, PagedTable, partsOf } from "./paging.js";
import { ScheduleForm } from "./schedule_form.js";
import { bytes, count, duration, element, refill, set, show, visible } from "./text.js";

/** Each may have as much data as a message. */
const PAGE = 20;
/** Channels shown of one schedule. */
const CHANNELS = 4;

export class Schedules {
  #create = document.getElementById("schedules-create");
  #table;
  #form;

  /** `loggedOut()` is called when the login is over. */
  constructor({ loggedOut }) {
    this.#table = new PagedTable(partsOf("schedules"), {
      size: PAGE,
      load: async (query) => {
        const { schedules, total, next } = await call("GET", `api/schedules?${query}`);
        return { items: schedules, total, next };
      },
      keyOf: ({ id }) => id,
      create: ({ id }, table) => this.#createRow(id, table),
      update,
      none: "Nothing is scheduled",
      loggedOut,
    });
    this.#form = new ScheduleForm({ saved: (schedule, created) => this.#saved(schedule, created), loggedOut });
    this.#create.addEventListener("click", () => this.#form.create());
  }

  start() {
    return this.#table.start();
  }

  stop() {
    this.#table.stop();
    this.#form.close();
  }

  async #saved({ id, next }, created) {
    const due = next === undefined ? "it does not fire any more" : `next at ${dayAndTime(next)}`;
    this.#table.say(`${created ? "Scheduled" : "Changed"} ${id}: ${due}.`);
    await this.#table.refresh();
  }

  #createRow(id, table) {
    const row = {
      creator: element("bdi", { className: "sub quiet" }),
      when: element("bdi"),
      channels: element("bdi", { className: "channels" }),
      data: element("bdi", { className: "what", dir: "auto" }),
      next: element("span"),
      last: element("span"),
      due: null,
    };
    const what = `schedule ${id}`;
    const edit = element("button", { type: "button", className: "act" }, "Edit");
    edit.setAttribute("aria-label", `Edit ${visible(what)}`);
    const path = `api/schedules/${encodeURIComponent(id)}`;
    edit.addEventListener("click", () => table.attempt(async () => this.#form.edit(await ask("GET", path))));
    const run = () => table.take(row, () => cancel(id, path), this.#create);
    row.node = createRow(
      ["main", "", show(element("bdi", { className: "name" }), id), row.creator],
      ["whole", "", row.when],
      ["whole", "", row.channels],
      ["whole", "", row.data],
      ["half", "Next", row.next],
      ["half", "Last", row.last],
      ["action wide", "", edit, table.button({ act: "Cancel", what, run })],
    );
    return row;
  }
}

async function cancel(id, path) {
  try {
    await call("DELETE", path, {});
    return `Cancelled ${id}.`;
  } catch (error) {
    if (error.status !== 404) throw error;
    return `${id} was gone already.`;
  }
}

function update(row, schedule) {
  const { creator, channels, next, last } = schedule;
  refill(row.creator, `by ${creator}`);
  refill(row.when, describeWhen(schedule));
  const more = channels.length - CHANNELS;
  refill(row.channels, channels.slice(0, CHANNELS).join(", ") + (more > 0 ? ` and ${count(more)} more` : ""));
  refill(row.data, describeData(schedule));
  if (row.due !== next) row.next.replaceChildren(...next === undefined ? ["no more"] : [moment(next), timeLeft(next)]);
  else if (next !== undefined) set(row.next.lastChild, leftUntil(next));
  row.due = next;
  const outcome = JSON.stringify(last ?? null);
  if (row.outcome === outcome) return;
  row.outcome = outcome;
  row.last.replaceChildren(...describeLast(last));
}

function timeLeft(next) {
  return element("span", { className: "sub quiet" }, leftUntil(next));
}

function leftUntil(next) {
  return next > Date.now() ? `in ${duration((next - Date.now()) / 1000)}` : "now";
}

function describeWhen({ at, every, cron, zone }) {
  if (cron !== undefined) return `${cron} · ${zone}`;
  return every === undefined ? `once${at === undefined ? "" : `, ${dayAndTime(at)}`}` : `every ${every} s`;
}

function describeData({ data, encoding, contentType }) {
  if (encoding === "base64") return `${bytes(Math.floor(data.length * 3 / 4))} of ${contentType ?? "bytes"}`;
  return typeof data === "string" ? data : JSON.stringify(data);
}

/** The last time that it fired: when, and with what outcome. */
function describeLast(last) {
  if (last === undefined) return ["not yet"];
  const { time, late, refused } = last;
  const outcome = refused === undefined ? "published" : `refused: ${refused}`;
  const className = refused === undefined ? "outcome quiet" : "outcome bad";
  return [
    moment(time),
    show(element("span", { className }), `${outcome}${late ? `, late: due ${dayAndTime(last.due)}` : ""}`),
  ];
}
